#include "penstock/log/partitioner.h"

namespace penstock {

std::uint32_t murmur2(Bytes bytes) {
    constexpr std::uint32_t kSeed = 0x9747b28c;
    constexpr std::uint32_t kMultiplier = 0x5bd1e995;
    constexpr int kShift = 24;

    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
    std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
    std::size_t at = 0;
    for (; at + 4 <= bytes.size(); at += 4) {
        std::uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
        word *= kMultiplier;
        word ^= word >> kShift;
        word *= kMultiplier;
        hash = hash * kMultiplier ^ word;
    }
    const std::size_t rest = bytes.size() - at;
    if (rest >= 3) hash ^= byte(at + 2) << 16;
    if (rest >= 2) hash ^= byte(at + 1) << 8;
    if (rest >= 1) hash = (hash ^ byte(at)) * kMultiplier;
    hash ^= hash >> 13;
    hash *= kMultiplier;
    hash ^= hash >> 15;
    return hash;
}

PartitionId partition_of_key(Bytes key, std::uint32_t partitions) {
    return PartitionId((murmur2(key) & 0x7fffffff) % partitions);
}

PartitionId KeylessPartitioner::choose(std::size_t record_bytes, std::uint32_t partitions) {
    const PartitionId chosen(next_ % partitions);
    bytes_here_ += record_bytes;
    if (spread_ == Spread::one_by_one || bytes_here_ >= kStickyBytes) {
        ++next_;
        bytes_here_ = 0;
    }
    return chosen;
}

}  // namespace penstock
