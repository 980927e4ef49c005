#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>

#include "penstock/base/bytes.h"
#include "penstock/base/random.h"

namespace penstock {

/// 128 bits, big-endian in `bytes`.
struct Hash128 {
    std::array<std::uint8_t, 16> bytes{};
    friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

inline Bytes as_bytes(const Hash128& hash) {
    return std::as_bytes(std::span(hash.bytes));
}
/// The hash that these bytes are; zero if they are not 16.
Hash128 to_hash128(Bytes bytes);

/// XXH3, 128 bits. Not for secrets; the same on every machine and version.
Hash128 hash128(Bytes bytes);

/// Of fields one after the other, each with its length, so that no two lists of fields meet: the
/// hash of {u64 little-endian length, bytes} of each field in turn.
Hash128 hash_fields(std::initializer_list<Bytes> fields);

/// XXH3, 128 bits, under a secret of this object: who does not know it cannot choose texts that
/// meet. For tables in memory only; another object gives other values. Threads: any.
class KeyedHash {
public:
    explicit KeyedHash(Random& random);
    Hash128 operator()(Bytes bytes) const;

private:
    std::array<std::uint64_t, 24> secret_;  ///< 192 bytes, as long as XXH3's own
};

}  // namespace penstock

template <>
struct std::hash<penstock::Hash128> {
    std::size_t operator()(const penstock::Hash128& hash) const {
        std::size_t value;
        __builtin_memcpy(&value, hash.bytes.data() + 8, sizeof value);
        return value;
    }
};
