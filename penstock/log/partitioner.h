#pragma once

#include <cstdint>

#include "penstock/log/log.h"

namespace penstock {

/// MurmurHash2, 32 bits, seed 0x9747b28c, as Apache Kafka's Java client computes it
/// (org.apache.kafka.common.utils.Utils.murmur2).
std::uint32_t murmur2(Bytes bytes);

/// The partition of a key among `partitions`, as Kafka's Java client chooses it:
/// (murmur2 & 0x7fffffff) mod partitions. librdkafka's default differs.
PartitionId partition_of_key(Bytes key, std::uint32_t partitions);

/// How keyless records spread.
enum class Spread : std::uint8_t {
    batches,     ///< stay on one partition until kStickyBytes went there (KIP-794)
    one_by_one,  ///< round robin
};

/// Chooses partitions for keyless records. Threads: one.
class KeylessPartitioner {
public:
    static constexpr std::size_t kStickyBytes = 16 * 1024;

    KeylessPartitioner(Spread spread, std::uint32_t first) : spread_(spread), next_(first) {}
    PartitionId choose(std::size_t record_bytes, std::uint32_t partitions);

private:
    const Spread spread_;
    std::uint32_t next_;
    std::size_t bytes_here_ = 0;
};

}  // namespace penstock
