#include "penstock/log/fingerprint.h"

#include "penstock/base/checksum.h"

namespace penstock {
namespace {

template <class Integer>
std::uint32_t add(std::uint32_t crc, Integer value) {
    std::array<std::byte, sizeof value> bytes;
    for (std::size_t i = 0; i < sizeof value; ++i) {
        bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    return crc32c(bytes, crc);
}

std::uint32_t add(std::uint32_t crc, Bytes field) {
    return crc32c(field, add(crc, static_cast<std::uint32_t>(field.size())));
}

/// An absent field differs from an empty one.
std::uint32_t add(std::uint32_t crc, const std::optional<Bytes>& field) {
    return field ? add(crc, *field) : add(crc, std::uint32_t{0xffffffff});
}

}  // namespace

std::uint32_t fingerprint(const Logged& record) {
    std::uint32_t crc = add(0, record.offset.value());
    crc = add(crc, unix_ms(record.time));
    crc = add(crc, record.layout.value());
    crc = add(crc, record.key);
    crc = add(crc, record.value);
    for (const Header& header : record.headers) {
        crc = add(crc, as_bytes(header.name));
        crc = add(crc, header.value);
    }
    return crc;
}

}  // namespace penstock
