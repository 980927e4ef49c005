#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "penstock/base/hash.h"
#include "penstock/base/random.h"

namespace penstock {

/// From 128-bit keys to values that are never 0. Open addressing in buckets of one cache line; a
/// table too large for one segment is cut into segments by the leading bits of the mixed key
/// (extendible hashing: Fagin et al., ACM TODS 4(3), 1979), so that growing moves at most one
/// segment of 64 KiB at a time and never stalls its caller for more than some 50 us.
/// 27 to 53 bytes an entry once it is cut. Threads: the owner's.
class UnitTable {
public:
    using Key = Hash128;
    /// A key mixed with this table's secret; find, insert and erase take both.
    using Spot = std::uint64_t;

    explicit UnitTable(Random& random);

    Spot spot_of(const Key& key) const;
    void prefetch(Spot spot) const;

    /// Null if it is not there; good until the next insert or erase.
    std::uint32_t* find(const Key& key, Spot spot);
    /// The key must not be there, the value not 0.
    void insert(const Key& key, Spot spot, std::uint32_t value);
    /// False: it was not there.
    bool erase(const Key& key, Spot spot);

    std::uint64_t size() const { return size_; }
    std::uint64_t memory_bytes() const;

private:
    static constexpr std::uint32_t kSlots = 3;
    static constexpr std::uint32_t kFirstBuckets = 4;
    static constexpr std::uint32_t kSegmentBuckets = 1024;

    /// Value 0: the slot is free. `passed` counts the entries that had to go on to a later bucket,
    /// so that a look-up knows where to stop and an erase leaves no mark behind.
    struct alignas(64) Bucket {
        Key keys[kSlots];
        std::uint32_t values[kSlots];
        std::uint32_t passed;
    };
    static_assert(sizeof(Bucket) == 64);

    struct Segment {
        std::unique_ptr<Bucket[]> buckets;
        std::uint32_t used = 0;
        std::uint32_t depth = 0;  ///< leading bits of the spot that all its keys share
    };

    static Segment make_segment(std::uint32_t buckets, std::uint32_t depth);
    static void place(Segment& segment, std::uint32_t mask, const Key& key, Spot spot,
                      std::uint32_t value);

    std::uint32_t index_of(Spot spot) const {
        return directory_[depth_ == 0 ? 0 : spot >> (64 - depth_)];
    }
    void grow(Spot spot);
    void double_segment();
    void split(Spot spot);

    std::uint64_t secret_a_, secret_b_;
    std::vector<Segment> segments_;
    std::vector<std::uint32_t> directory_;  ///< leading depth_ bits of a spot → segment
    std::uint32_t depth_ = 0;
    std::uint32_t mask_ = kFirstBuckets - 1;  ///< all segments have the same number of buckets
    std::uint32_t full_;                      ///< entries with which a segment is full
    std::uint64_t size_ = 0;
};

}  // namespace penstock
