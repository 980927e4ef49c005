#pragma once

#include <cstddef>
#include <string_view>

namespace penstock::http {

/// Bytes of the character with which `text` begins (RFC 3629: no overlong forms, no surrogates,
/// nothing above U+10FFFF); 0: not UTF-8.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace penstock::http
