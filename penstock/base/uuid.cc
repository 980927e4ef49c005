#include "penstock/base/uuid.h"

namespace penstock {
namespace {

constexpr char kHex[] = "0123456789abcdef";

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_dash_place(std::size_t i) {
    return i == 8 || i == 13 || i == 18 || i == 23;
}

void set_version(Uuid& uuid, std::uint8_t version) {
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | (version << 4));
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
}

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    Uuid uuid;
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_dash_place(i)) {
            if (text[i] != '-') return std::nullopt;
            continue;
        }
        const int value = hex_value(text[i]);
        if (value < 0) return std::nullopt;
        auto& byte = uuid.bytes[nibble / 2];
        byte = static_cast<std::uint8_t>((byte << 4) | value);
        ++nibble;
    }
    return uuid;
}

std::string format_uuid(const Uuid& uuid) {
    std::string text;
    text.reserve(36);
    for (const std::uint8_t byte : uuid.bytes) {
        if (is_dash_place(text.size())) text += '-';
        text += kHex[byte >> 4];
        text += kHex[byte & 15];
    }
    return text;
}

Uuid make_uuid_v7(LogTime now, Random& random) {
    Uuid uuid;
    const auto ms = static_cast<std::uint64_t>(unix_ms(now));
    const std::uint64_t a = random.next();
    const std::uint64_t b = random.next();
    for (int i = 0; i < 6; ++i) uuid.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    for (int i = 0; i < 2; ++i) uuid.bytes[6 + i] = static_cast<std::uint8_t>(a >> (8 * i));
    for (int i = 0; i < 8; ++i) uuid.bytes[8 + i] = static_cast<std::uint8_t>(b >> (8 * i));
    set_version(uuid, 7);
    return uuid;
}

std::optional<LogTime> uuid_v7_time(const Uuid& uuid) {
    if (uuid.bytes[6] >> 4 != 7 || uuid.bytes[8] >> 6 != 2) return std::nullopt;
    std::int64_t ms = 0;
    for (int i = 0; i < 6; ++i) ms = (ms << 8) | uuid.bytes[i];
    return log_time(ms);
}

Uuid uuid_of_id(std::string_view id_text) {
    if (const auto uuid = parse_uuid(id_text)) return *uuid;
    Uuid uuid = hash128(as_bytes(id_text));
    set_version(uuid, 8);
    return uuid;
}

}  // namespace penstock
