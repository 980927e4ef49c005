#include "penstock/edge/cli/wire_format.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <charconv>

namespace penstock::cli {
namespace {

constexpr std::size_t kLongBytes = 8;

std::string to_hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

Result<std::string> from_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        unsigned value = 0;
        const char* const at = text.data() + i;
        if (std::from_chars(at, at + 2, value, 16).ptr != at + 2) break;
        bytes += static_cast<char>(value);
    }
    if (bytes.size() * 2 == text.size()) return bytes;
    return error(Code::invalid, fmt::format("'{}' is not an even number of hex digits", text));
}

Result<std::string> from_long(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) {
        return error(Code::invalid, fmt::format("'{}' is not a whole number of 64 bits", text));
    }
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) {
        bytes += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
    }
    return bytes;
}

}  // namespace

std::optional<WireFormat> parse_wire_format(std::string_view name) {
    if (name == "string") return WireFormat::string;
    if (name == "long") return WireFormat::long_integer;
    if (name == "json") return WireFormat::json;
    if (name == "hex") return WireFormat::hex;
    return std::nullopt;
}

Result<std::string> encode_wire(WireFormat format, std::string_view text) {
    switch (format) {
        case WireFormat::string:
            return std::string(text);
        case WireFormat::long_integer:
            return from_long(text);
        case WireFormat::hex:
            return from_hex(text);
        case WireFormat::json: {
            boost::system::error_code failure;
            boost::json::parse(boost::json::string_view(text), failure);
            if (!failure) return std::string(text);
            return error(Code::invalid, fmt::format("'{}' is not JSON", text));
        }
    }
    return error(Code::invalid, "no such format");
}

std::string decode_wire(WireFormat format, std::string_view bytes) {
    if (format == WireFormat::hex) return to_hex(bytes);
    if (format != WireFormat::long_integer) return std::string(bytes);
    if (bytes.size() != kLongBytes) return "0x" + to_hex(bytes);
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return std::to_string(static_cast<std::int64_t>(value));
}

}  // namespace penstock::cli
