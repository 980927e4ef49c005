#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace penstock::http {

enum class Method : std::uint8_t { get, head, post, put, patch, del, other };
Method method_of(std::string_view text);
const char* to_string(Method method);

struct Field {
    std::string_view name, value;
};

/// One request, borrowed from its connection while it is being handled.
struct Request {
    Method method = Method::other;
    std::string_view method_text;
    std::string_view target;  ///< as sent
    std::string_view path;    ///< still percent-encoded
    std::string_view query;   ///< without the question mark
    std::vector<Field> fields;
    std::string_view body;
    bool http_1_0 = false;
    bool keep_alive = true;

    /// The value of a field that must not come twice; of a doubled one the first.
    std::optional<std::string_view> field(std::string_view name) const;
    std::size_t count(std::string_view name) const;
};

/// ASCII letters only, as field names and hosts are compared.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace penstock::http
