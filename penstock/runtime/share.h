#pragma once

#include <optional>
#include <span>
#include <vector>

#include "penstock/base/uuid.h"
#include "penstock/log/log.h"

namespace penstock {

/// A partition and the living member that owns it; none: free.
struct PartitionOwner {
    TopicPartition at;
    std::optional<Uuid> owner;
};

/// What one member should do to have its fair share.
struct Share {
    std::vector<TopicPartition> take;  ///< free ones
    std::vector<TopicPartition> give;  ///< its own, beyond its share
};

/// Shares differ by one at most, and whoever has more keeps the larger one, so that as few
/// partitions move as can be. `members`: the living, `me` among them.
Share fair_share(const Uuid& me, std::span<const Uuid> members,
                 std::span<const PartitionOwner> partitions);

}  // namespace penstock
