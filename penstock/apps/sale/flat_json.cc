#include "penstock/apps/sale/flat_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <limits>

namespace penstock::sale {
namespace {

namespace json = boost::json;

/// Gathers members as the parser meets them. Returns false, with `wrong` set, to stop it.
struct Gather {
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();
    using Ec = json::error_code;
    using Text = json::string_view;

    std::vector<Member> members;
    std::string text;
    std::string wrong;
    std::size_t depth = 0;

    bool stop(Ec& ec, std::string why) {
        wrong = std::move(why);
        ec = json::error::incomplete;
        return false;
    }
    bool take(Member::Kind kind, Ec& ec) {
        if (depth == 0) return stop(ec, "give a JSON object");
        if (depth == 1) members.back().kind = kind;
        return true;
    }
    bool nest(Ec& ec, bool object) {
        if (depth == 0 && !object) return stop(ec, "give a JSON object");
        if (depth == 1) members.back().kind = Member::Kind::nested;
        ++depth;
        return true;
    }

    bool on_document_begin(Ec&) { return true; }
    bool on_document_end(Ec&) { return true; }
    bool on_object_begin(Ec& ec) { return nest(ec, true); }
    bool on_object_end(std::size_t, Ec&) { return --depth, true; }
    bool on_array_begin(Ec& ec) { return nest(ec, false); }
    bool on_array_end(std::size_t, Ec&) { return --depth, true; }
    bool on_key_part(Text part, std::size_t, Ec&) { return text.append(part), true; }
    bool on_key(Text part, std::size_t, Ec& ec) {
        text.append(part);
        std::string name = std::move(text);
        text.clear();
        if (depth != 1) return true;
        if (members.size() == kMaxMembers) return stop(ec, "the object has too many members");
        const bool doubled = std::any_of(members.begin(), members.end(),
                                         [&](const Member& m) { return m.name == name; });
        if (doubled) return stop(ec, fmt::format("the member {} comes twice: give it once", name));
        members.emplace_back().name = std::move(name);
        return true;
    }
    bool on_string_part(Text part, std::size_t, Ec&) { return text.append(part), true; }
    bool on_string(Text part, std::size_t, Ec& ec) {
        text.append(part);
        if (!take(Member::Kind::text, ec)) return false;
        if (depth == 1) members.back().text = std::move(text);
        text.clear();
        return true;
    }
    bool on_number_part(Text, Ec&) { return true; }
    bool on_int64(std::int64_t value, Text, Ec& ec) {
        if (!take(Member::Kind::integer, ec)) return false;
        if (depth == 1) members.back().integer = value;
        return true;
    }
    bool on_uint64(std::uint64_t, Text, Ec& ec) { return take(Member::Kind::number, ec); }
    bool on_double(double, Text, Ec& ec) { return take(Member::Kind::number, ec); }
    bool on_bool(bool, Ec& ec) { return take(Member::Kind::boolean, ec); }
    bool on_null(Ec& ec) { return take(Member::Kind::null, ec); }
    bool on_comment_part(Text, Ec&) { return true; }
    bool on_comment(Text, Ec&) { return true; }
};

/// A character that may not stand in a JSON text as it is.
void append_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\b':
            out += "\\b";
            break;
        case '\f':
            out += "\\f";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    }
}

}  // namespace

Result<std::vector<Member>> parse_flat_object(std::string_view text) {
    json::parse_options options;
    options.max_depth = kMaxJsonDepth;
    json::basic_parser<Gather> parser(options);
    json::error_code failure;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), failure);
    if (!parser.handler().wrong.empty()) {
        return error(Code::invalid, std::move(parser.handler().wrong));
    }
    if (failure) {
        return error(Code::invalid, fmt::format("this is not JSON in UTF-8: {} near byte {}",
                                                failure.message(), used));
    }
    if (used != text.size()) {
        return error(Code::invalid,
                     fmt::format("give one JSON object: something follows it at byte {}", used));
    }
    return std::move(parser.handler().members);
}

void append_quoted(std::string& out, std::string_view text) {
    const auto is_special = [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
    };
    out += '"';
    for (;;) {
        const auto special = std::find_if(text.begin(), text.end(), is_special);
        out.append(text.begin(), special);
        if (special == text.end()) break;
        append_escaped(out, *special);
        text.remove_prefix(static_cast<std::size_t>(special - text.begin()) + 1);
    }
    out += '"';
}

void append_number(std::string& out, std::uint64_t number) {
    const fmt::format_int digits(number);
    out.append(digits.data(), digits.size());
}

}  // namespace penstock::sale
