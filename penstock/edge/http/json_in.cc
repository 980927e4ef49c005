#include "penstock/edge/http/json_in.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>

namespace penstock::http {
namespace {

namespace json = boost::json;

/// Counts the members of a text: the parsed value has fewer if some were doubled.
struct MemberCounter {
    static constexpr std::size_t max_object_size = ~std::size_t{0};
    static constexpr std::size_t max_array_size = ~std::size_t{0};
    static constexpr std::size_t max_key_size = ~std::size_t{0};
    static constexpr std::size_t max_string_size = ~std::size_t{0};
    using ec = json::error_code;
    using view = json::string_view;

    bool on_document_begin(ec&) { return true; }
    bool on_document_end(ec&) { return true; }
    bool on_object_begin(ec&) { return true; }
    bool on_object_end(std::size_t n, ec&) {
        members += n;
        return true;
    }
    bool on_array_begin(ec&) { return true; }
    bool on_array_end(std::size_t, ec&) { return true; }
    bool on_key_part(view, std::size_t, ec&) { return true; }
    bool on_key(view, std::size_t, ec&) { return true; }
    bool on_string_part(view, std::size_t, ec&) { return true; }
    bool on_string(view, std::size_t, ec&) { return true; }
    bool on_number_part(view, ec&) { return true; }
    bool on_int64(std::int64_t, view, ec&) { return true; }
    bool on_uint64(std::uint64_t, view, ec&) { return true; }
    bool on_double(double, view, ec&) { return true; }
    bool on_bool(bool, ec&) { return true; }
    bool on_null(ec&) { return true; }
    bool on_comment_part(view, ec&) { return true; }
    bool on_comment(view, ec&) { return true; }

    std::size_t members = 0;
};

std::size_t count_members(const json::value& value) {
    std::size_t n = 0;
    if (const auto* object = value.if_object()) {
        n += object->size();
        for (const auto& member : *object) n += count_members(member.value());
    } else if (const auto* array = value.if_array()) {
        for (const auto& element : *array) n += count_members(element);
    }
    return n;
}

json::parse_options options(std::size_t depth) {
    json::parse_options options;
    options.max_depth = depth;
    return options;
}

std::string quoted(std::string_view name) {
    return fmt::format("'{}'", name);
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::size_t depth) {
    json::error_code ec;
    json::value value =
        json::parse(json::string_view(text.data(), text.size()), ec, {}, options(depth));
    if (ec == json::error::too_deep) {
        return error(Code::invalid, "the JSON is nested deeper than " + std::to_string(depth));
    }
    if (ec) return error(Code::invalid, "not valid JSON: " + ec.message());
    json::basic_parser<MemberCounter> counter(options(depth));
    counter.write_some(false, text.data(), text.size(), ec);
    if (counter.handler().members != count_members(value)) {
        return error(Code::invalid, "a member of the JSON comes twice");
    }
    return value;
}

Members::Members(const json::value& value) : object_(value.if_object()) {
    if (!object_) complain("the body must be a JSON object");
}

bool Members::has(std::string_view name) const {
    return object_ && object_->contains(json::string_view(name.data(), name.size()));
}

const json::value* Members::any(std::string_view name) {
    asked_.emplace_back(name);
    return object_ ? object_->if_contains(json::string_view(name.data(), name.size())) : nullptr;
}

std::optional<std::string> Members::text(std::string_view name, std::size_t max_bytes) {
    const json::value* value = any(name);
    if (!value) return std::nullopt;
    const json::string* text = value->if_string();
    if (!text || text->size() > max_bytes) {
        complain(quoted(name) + " must be a string of at most " + std::to_string(max_bytes) +
                 " bytes");
        return std::nullopt;
    }
    return std::string(text->data(), text->size());
}

std::optional<std::uint64_t> Members::integer(std::string_view name, std::uint64_t least,
                                              std::uint64_t most) {
    const json::value* value = any(name);
    if (!value) return std::nullopt;
    std::optional<std::uint64_t> number;
    if (value->is_int64() && value->get_int64() >= 0) {
        number = static_cast<std::uint64_t>(value->get_int64());
    } else if (value->is_uint64()) {
        number = value->get_uint64();
    }
    if (number && *number >= least && *number <= most) return number;
    complain(quoted(name) + " must be an integer from " + std::to_string(least) + " to " +
             std::to_string(most));
    return std::nullopt;
}

std::optional<bool> Members::boolean(std::string_view name) {
    const json::value* value = any(name);
    if (!value) return std::nullopt;
    if (value->is_bool()) return value->get_bool();
    complain(quoted(name) + " must be true or false");
    return std::nullopt;
}

std::optional<LogTime> Members::time(std::string_view name) {
    const json::value* value = any(name);
    if (!value) return std::nullopt;
    if (const json::string* text = value->if_string()) {
        if (const auto time = parse_rfc3339({text->data(), text->size()})) return time;
    }
    complain(quoted(name) + " must be a time such as 2026-11-21T12:00:00Z (RFC 3339)");
    return std::nullopt;
}

void Members::need(std::string_view name) {
    if (object_ && !has(name)) complain(quoted(name) + " is missing");
}

void Members::complain(std::string text) {
    if (!complaint_) complaint_ = std::move(text);
}

Result<void> Members::done() {
    if (!complaint_ && object_) {
        for (const auto& member : *object_) {
            const std::string_view name(member.key().data(), member.key().size());
            if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
            complain("unknown member " + quoted(name.substr(0, 64)));
            break;
        }
    }
    if (complaint_) return error(Code::invalid, *complaint_);
    return {};
}

}  // namespace penstock::http
