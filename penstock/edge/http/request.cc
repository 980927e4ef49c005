#include "penstock/edge/http/request.h"

#include <algorithm>

namespace penstock::http {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

Method method_of(std::string_view text) {
    if (text == "POST") return Method::post;
    if (text == "GET") return Method::get;
    if (text == "PUT") return Method::put;
    if (text == "HEAD") return Method::head;
    if (text == "PATCH") return Method::patch;
    if (text == "DELETE") return Method::del;
    return Method::other;
}

const char* to_string(Method method) {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::head:
            return "HEAD";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::del:
            return "DELETE";
        case Method::other:
            break;
    }
    return "OTHER";
}

std::optional<std::string_view> Request::field(std::string_view name) const {
    for (const Field& f : fields) {
        if (equals_ignoring_case(f.name, name)) return f.value;
    }
    return std::nullopt;
}

std::size_t Request::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(),
                      [&](const Field& f) { return equals_ignoring_case(f.name, name); }));
}

}  // namespace penstock::http
