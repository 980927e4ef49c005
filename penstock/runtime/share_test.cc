#include "penstock/runtime/share.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace penstock {
namespace {

Uuid member(std::uint8_t number) {
    Uuid id;
    id.bytes[0] = number;
    return id;
}

std::vector<PartitionOwner> free_partitions(std::uint32_t count) {
    std::vector<PartitionOwner> all;
    for (std::uint32_t i = 0; i < count; ++i) {
        all.push_back({{TopicId("t"), PartitionId(i)}, std::nullopt});
    }
    return all;
}

PartitionOwner& at(std::vector<PartitionOwner>& all, const TopicPartition& which) {
    return all[which.partition.value()];
}

/// Everybody in turn looks and acts, as long as somebody wants to; returns how many moved.
std::size_t settle(std::vector<PartitionOwner>& all, const std::vector<Uuid>& members) {
    std::size_t moved = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (const Uuid& me : members) {
            const Share share = fair_share(me, members, all);
            for (const TopicPartition& one : share.give) at(all, one).owner.reset();
            for (const TopicPartition& one : share.take) at(all, one).owner = me;
            moved += share.take.size();
            changed = changed || !share.give.empty() || !share.take.empty();
        }
    }
    return moved;
}

std::vector<std::size_t> counts(const std::vector<PartitionOwner>& all,
                                const std::vector<Uuid>& members) {
    std::vector<std::size_t> found;
    for (const Uuid& who : members) {
        found.push_back(static_cast<std::size_t>(std::count_if(
            all.begin(), all.end(), [&](const PartitionOwner& p) { return p.owner == who; })));
    }
    std::sort(found.begin(), found.end());
    return found;
}

TEST(Share, IsFairForAnyNumbers) {
    for (std::uint32_t partitions = 1; partitions <= 12; ++partitions) {
        for (std::uint8_t processes = 1; processes <= 5; ++processes) {
            std::vector<Uuid> members;
            for (std::uint8_t i = 1; i <= processes; ++i) members.push_back(member(i));
            auto all = free_partitions(partitions);
            settle(all, members);
            const auto found = counts(all, members);
            EXPECT_LE(found.back() - found.front(), 1u) << partitions << " on " << +processes;
            EXPECT_EQ(settle(all, members), 0u) << "it does not rest";
        }
    }
}

TEST(Share, OnlyWhatMustMovesWhenOneJoinsOrLeaves) {
    std::vector<Uuid> two = {member(1), member(2)};
    std::vector<Uuid> three = {member(1), member(2), member(3)};
    auto all = free_partitions(9);
    settle(all, two);
    EXPECT_EQ(settle(all, three), 3u);
    for (PartitionOwner& partition : all) {
        if (partition.owner == member(3)) partition.owner.reset();
    }
    EXPECT_EQ(settle(all, two), 3u);
}

TEST(Share, AStandbyTakesNothing) {
    std::vector<Uuid> two = {member(1), member(2)};
    auto all = free_partitions(1);
    all[0].owner = member(2);
    const Share share = fair_share(member(1), two, all);
    EXPECT_TRUE(share.take.empty());
    EXPECT_TRUE(share.give.empty());
}

}  // namespace
}  // namespace penstock
