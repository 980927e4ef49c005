#include "penstock/base/hash.h"

#include <xxhash.h>

#include <cstring>

namespace penstock {
namespace {

Hash128 canonical(XXH128_hash_t hash) {
    XXH128_canonical_t big_endian;
    XXH128_canonicalFromHash(&big_endian, hash);
    Hash128 result;
    std::memcpy(result.bytes.data(), big_endian.digest, result.bytes.size());
    return result;
}

XXH3_state_t* state_of(void* state) {
    return static_cast<XXH3_state_t*>(state);
}

}  // namespace

Hash128 hash128(Bytes bytes) {
    return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

FieldHash::FieldHash() : state_(XXH3_createState()) {
    XXH3_128bits_reset(state_of(state_));
}

FieldHash::~FieldHash() {
    XXH3_freeState(state_of(state_));
}

FieldHash& FieldHash::add(Bytes field) {
    const std::uint64_t length = field.size();
    XXH3_128bits_update(state_of(state_), &length, sizeof length);
    XXH3_128bits_update(state_of(state_), field.data(), field.size());
    return *this;
}

Hash128 FieldHash::finish() const {
    return canonical(XXH3_128bits_digest(state_of(state_)));
}

}  // namespace penstock
