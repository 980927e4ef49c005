#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::cli {

/// How keys and values stand on the command line.
enum class WireFormat : std::uint8_t {
    string,
    long_integer,  ///< 8 bytes, big-endian, as Kafka's LongSerializer
    json,          ///< text that must be JSON
    hex,
};

std::optional<WireFormat> parse_wire_format(std::string_view name);  ///< string, long, json, hex
/// The bytes of what a user typed. invalid: not of that form.
Result<std::string> encode_wire(WireFormat format, std::string_view text);
/// What a user is shown; bytes that are not of the form are shown as 0x….
std::string decode_wire(WireFormat format, std::string_view bytes);

}  // namespace penstock::cli
