#include "penstock/base/uuid.h"

#include <array>

namespace penstock {
namespace {

constexpr std::size_t kTextBytes = 36;
// Where the two digits of each byte stand in a text.
constexpr std::array<std::uint8_t, 16> kPlaces = {0,  2,  4,  6,  9,  11, 14, 16,
                                                  19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::array<std::uint8_t, 4> kDashes = {8, 13, 18, 23};
constexpr char kHex[] = "0123456789abcdef";
constexpr std::uint8_t kNoDigit = 0xff;

/// The value of each character as a hexadecimal digit.
constexpr std::array<std::uint8_t, 256> kDigits = [] {
    std::array<std::uint8_t, 256> digits{};
    digits.fill(kNoDigit);
    for (std::uint8_t i = 0; i < 10; ++i) digits['0' + i] = i;
    for (std::uint8_t i = 0; i < 6; ++i) {
        digits['a' + i] = digits['A' + i] = static_cast<std::uint8_t>(10 + i);
    }
    return digits;
}();

std::uint8_t digit(char c) {
    return kDigits[static_cast<unsigned char>(c)];
}

/// All but the dashes.
void write_text(const Uuid& uuid, char* text) {
    for (std::size_t i = 0; i < kPlaces.size(); ++i) {
        text[kPlaces[i]] = kHex[uuid.bytes[i] >> 4];
        text[kPlaces[i] + 1u] = kHex[uuid.bytes[i] & 15];
    }
}

void set_version(Uuid& uuid, std::uint8_t version) {
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | (version << 4));
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
}

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) {
    if (text.size() != kTextBytes) return std::nullopt;
    for (const std::uint8_t dash : kDashes) {
        if (text[dash] != '-') return std::nullopt;
    }
    Uuid uuid;
    std::uint8_t all = 0;  // digits are below 16
    for (std::size_t i = 0; i < kPlaces.size(); ++i) {
        const std::uint8_t high = digit(text[kPlaces[i]]);
        const std::uint8_t low = digit(text[kPlaces[i] + 1u]);
        all |= high | low;
        uuid.bytes[i] = static_cast<std::uint8_t>((high << 4) | low);
    }
    if (all > 0x0f) return std::nullopt;
    return uuid;
}

std::string format_uuid(const Uuid& uuid) {
    std::string text(kTextBytes, '-');
    write_text(uuid, text.data());
    return text;
}

bool is_text_of(const Uuid& uuid, std::string_view text) {
    std::array<char, kTextBytes> own;
    own.fill('-');
    write_text(uuid, own.data());
    return text == std::string_view(own.data(), own.size());
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
