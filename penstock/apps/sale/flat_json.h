#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::sale {

/// One member of a flat JSON object. What is nested keeps its kind only.
struct Member {
    enum class Kind : std::uint8_t {
        null,
        boolean,
        integer,  ///< written without fraction and exponent, fits
        number,   ///< any other number
        text,
        nested,
    };
    std::string name;
    Kind kind = Kind::null;
    std::int64_t integer = 0;
    std::string text;  ///< UTF-8
};

inline constexpr std::size_t kMaxJsonDepth = 32;
inline constexpr std::size_t kMaxMembers = 64;

/// The members of a JSON object in their order. Anything but one object, a member that comes twice
/// and text that is not UTF-8 are `invalid`; the text says what is wrong.
Result<std::vector<Member>> parse_flat_object(std::string_view json);

/// Appends `text` as a JSON string with its quotes: escapes only what must be, in one way, so that
/// equal texts give equal bytes.
void append_quoted(std::string& out, std::string_view text);
void append_number(std::string& out, std::uint64_t number);

}  // namespace penstock::sale
