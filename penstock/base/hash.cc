#include "penstock/base/hash.h"

#include <xxhash.h>

#include <cstring>
#include <memory>

namespace penstock {
namespace {

Hash128 canonical(XXH128_hash_t hash) {
    XXH128_canonical_t big_endian;
    XXH128_canonicalFromHash(&big_endian, hash);
    Hash128 result;
    std::memcpy(result.bytes.data(), big_endian.digest, result.bytes.size());
    return result;
}

}  // namespace

Hash128 to_hash128(Bytes bytes) {
    Hash128 hash;
    if (bytes.size() == hash.bytes.size()) {
        std::memcpy(hash.bytes.data(), bytes.data(), bytes.size());
    }
    return hash;
}

Hash128 hash128(Bytes bytes) {
    return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

Hash128 hash_fields(std::initializer_list<Bytes> fields) {
    std::size_t total = 0;
    for (const Bytes field : fields) total += sizeof(std::uint64_t) + field.size();
    std::array<std::byte, 1024> small;
    std::unique_ptr<std::byte[]> large;
    std::byte* begin = small.data();
    if (total > small.size()) {
        large.reset(new std::byte[total]);
        begin = large.get();
    }
    std::byte* at = begin;
    for (const Bytes field : fields) {
        const std::uint64_t length = field.size();
        std::memcpy(at, &length, sizeof length);
        at += sizeof length;
        if (length != 0) std::memcpy(at, field.data(), length);
        at += length;
    }
    return hash128({begin, total});
}

KeyedHash::KeyedHash(Random& random) {
    for (std::uint64_t& word : secret_) word = random.next();
}

Hash128 KeyedHash::operator()(Bytes bytes) const {
    static_assert(sizeof secret_ >= XXH3_SECRET_SIZE_MIN);
    const XXH128_hash_t hash =
        XXH3_128bits_withSecret(bytes.data(), bytes.size(), secret_.data(), sizeof secret_);
    Hash128 result;
    static_assert(sizeof hash == sizeof result.bytes);
    std::memcpy(result.bytes.data(), &hash, sizeof hash);
    return result;
}

}  // namespace penstock
