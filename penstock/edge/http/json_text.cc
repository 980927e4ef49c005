#include "penstock/edge/http/json_text.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>

#include "penstock/edge/http/response.h"

namespace penstock::http {
namespace {

namespace json = boost::json;

using Members = std::vector<std::pair<std::string, std::string>>;

/// Puts values together from the inside out; each open object or array is a level.
class Composer {
public:
    static constexpr std::size_t max_object_size = ~std::size_t{0};
    static constexpr std::size_t max_array_size = ~std::size_t{0};
    static constexpr std::size_t max_key_size = ~std::size_t{0};
    static constexpr std::size_t max_string_size = ~std::size_t{0};
    using ec = json::error_code;
    using view = json::string_view;

    bool on_document_begin(ec&) { return true; }
    bool on_document_end(ec&) { return true; }
    bool on_object_begin(ec&) { return levels_.emplace_back(), true; }
    bool on_array_begin(ec&) { return levels_.emplace_back(), true; }
    bool on_object_end(std::size_t, ec&);
    bool on_array_end(std::size_t, ec&);
    bool on_key_part(view part, std::size_t, ec&) { return keep(part); }
    bool on_key(view part, std::size_t, ec&) {
        keep(part);
        levels_.back().key = std::exchange(part_, {});
        return true;
    }
    bool on_string_part(view part, std::size_t, ec&) { return keep(part); }
    bool on_string(view part, std::size_t, ec&) {
        keep(part);
        return value(json_string(std::exchange(part_, {})));
    }
    bool on_number_part(view part, ec&) { return keep(part); }
    bool on_int64(std::int64_t, view part, ec&) { return number(part); }
    bool on_uint64(std::uint64_t, view part, ec&) { return number(part); }
    bool on_double(double, view part, ec&) { return number(part); }
    bool on_bool(bool yes, ec&) { return value(yes ? "true" : "false"); }
    bool on_null(ec&) { return value("null"); }
    bool on_comment_part(view, ec&) { return true; }
    bool on_comment(view, ec&) { return true; }

    MemberOrder order = MemberOrder::as_given;
    bool doubled = false;
    bool top_is_object = false;
    Members top;

private:
    struct Level {
        std::string key;
        Members members;  ///< keys are empty in an array
    };

    bool keep(view part) { return part_.append(part.data(), part.size()), true; }
    bool number(view part) {
        keep(part);
        return value(std::exchange(part_, {}));
    }
    bool value(std::string text) {
        if (levels_.empty()) return true;  // a lone value is no object
        levels_.back().members.emplace_back(std::exchange(levels_.back().key, {}), std::move(text));
        return true;
    }

    std::vector<Level> levels_;
    std::string part_;
};

bool Composer::on_object_end(std::size_t, ec&) {
    Members members = std::move(levels_.back().members);
    levels_.pop_back();
    std::vector<std::string_view> names;
    for (const auto& member : members) names.push_back(member.first);
    std::sort(names.begin(), names.end());
    doubled = doubled || std::adjacent_find(names.begin(), names.end()) != names.end();
    if (order == MemberOrder::sorted) std::sort(members.begin(), members.end());
    if (levels_.empty()) {
        top = std::move(members);
        top_is_object = true;
        return true;
    }
    std::string text = "{";
    for (const auto& [name, member] : members) {
        if (text.size() > 1) text += ',';
        append_json_string(text, name);
        text += ':';
        text += member;
    }
    return value(text + '}');
}

bool Composer::on_array_end(std::size_t, ec&) {
    const Members items = std::move(levels_.back().members);
    levels_.pop_back();
    std::string text = "[";
    for (const auto& item : items) {
        if (text.size() > 1) text += ',';
        text += item.second;
    }
    return value(text + ']');
}

}  // namespace

Result<Members> split_object(std::string_view text, std::size_t depth, MemberOrder order) {
    json::parse_options options;
    options.max_depth = depth;
    json::basic_parser<Composer> parser(options);
    parser.handler().order = order;
    json::error_code ec;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
    if (ec) return error(Code::invalid, "not valid JSON: " + ec.message());
    // White space may follow the value, nothing else.
    if (text.substr(used).find_first_not_of(" \t\r\n") != std::string_view::npos) {
        return error(Code::invalid, "not valid JSON: something follows it");
    }
    if (parser.handler().doubled) return error(Code::invalid, "a member of the JSON comes twice");
    if (!parser.handler().top_is_object) {
        return error(Code::invalid, "the body must be a JSON object");
    }
    return std::move(parser.handler().top);
}

}  // namespace penstock::http
