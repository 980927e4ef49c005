#include "penstock/runtime/share.h"

#include <algorithm>
#include <map>

namespace penstock {
namespace {

std::size_t share_of(const Uuid& me, std::span<const Uuid> members,
                     std::span<const PartitionOwner> partitions) {
    std::map<Uuid, std::size_t> held;
    for (const Uuid& member : members) held.emplace(member, 0);
    for (const PartitionOwner& partition : partitions) {
        if (!partition.owner) continue;
        if (const auto at = held.find(*partition.owner); at != held.end()) ++at->second;
    }
    std::vector<std::pair<std::size_t, Uuid>> by_held;
    for (const auto& [member, count] : held) by_held.emplace_back(count, member);
    std::sort(by_held.begin(), by_held.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    const auto rank = std::find_if(by_held.begin(), by_held.end(),
                                   [&](const auto& entry) { return entry.second == me; });
    const std::size_t larger = partitions.size() % by_held.size();
    const bool mine_is_larger = static_cast<std::size_t>(rank - by_held.begin()) < larger;
    return partitions.size() / by_held.size() + (mine_is_larger ? 1 : 0);
}

}  // namespace

Share fair_share(const Uuid& me, std::span<const Uuid> members,
                 std::span<const PartitionOwner> partitions) {
    Share share;
    if (members.empty()) return share;
    const std::size_t most = share_of(me, members, partitions);
    std::size_t held = 0;
    for (const PartitionOwner& partition : partitions) {
        if (partition.owner != me) continue;
        if (++held > most) share.give.push_back(partition.at);
    }
    for (const PartitionOwner& partition : partitions) {
        if (partition.owner || held >= most) continue;
        share.take.push_back(partition.at);
        ++held;
    }
    return share;
}

}  // namespace penstock
