#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "penstock/base/hash.h"
#include "penstock/base/random.h"
#include "penstock/gate/local/segment_pool.h"

namespace penstock {

/// From 128-bit keys to values that are never 0. Open addressing in buckets of one cache line; a
/// table too large for one segment is cut into segments by the leading bits of the mixed key
/// (extendible hashing: Fagin et al., ACM TODS 4(3), 1979), so that growing moves at most one
/// segment of 64 KiB at a time and never stalls its caller for more than some 50 us.
/// 31 to 62 bytes an entry once it is cut. Threads: the owner's.
class UnitTable {
public:
    using Key = Hash128;
    /// A key mixed with this table's secret; find, insert and erase take both.
    using Spot = std::uint64_t;

    /// `pool` outlives the table.
    UnitTable(Random& random, SegmentPool& pool);

    Spot spot_of(const Key& key) const {
        std::uint64_t words[2];
        std::memcpy(words, key.bytes.data(), sizeof words);
        // Folding the product of two words, each under a secret: keys are chosen by strangers.
        const auto product =
            static_cast<unsigned __int128>(words[0] ^ secret_a_) * (words[1] ^ secret_b_);
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }

    void prefetch(Spot spot) const { __builtin_prefetch(&buckets_of(spot)[spot & mask_], 1); }

    /// Null if it is not there; good until the next insert or erase.
    std::uint32_t* find(const Key& key, Spot spot) {
        Bucket* const buckets = buckets_of(spot);
        for (std::uint32_t step = 0;; ++step) {
            Bucket& bucket = buckets[nth(spot, step) & mask_];
            // All slots before the one branch: which of them it is nobody can predict.
            std::uint32_t hits = 0;
            for (std::uint32_t i = 0; i < kSlots; ++i) {
                const bool hit = same(bucket.keys[i], key) & (bucket.values[i] != 0);
                hits |= (hit ? 1U : 0U) << i;
            }
            if (hits != 0) return &bucket.values[std::countr_zero(hits)];
            if (passed_by(bucket.passed, spot) == 0) return nullptr;
        }
    }

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

    /// Value 0: the slot is free. `passed` counts those that had to go on to a later bucket, by
    /// kind, so that a look-up knows where to stop and an erase leaves no mark behind.
    struct alignas(64) Bucket {
        Key keys[kSlots];
        std::uint32_t values[kSlots];
        std::uint32_t passed;
    };
    static_assert(sizeof(Bucket) == 64);

    static_assert(kSegmentBuckets * sizeof(Bucket) == SegmentPool::kBlockBytes);

    struct Release {
        SegmentPool* pool;  ///< null: from the heap
        void operator()(Bucket* buckets) const;
    };
    struct Segment {
        std::unique_ptr<Bucket[], Release> buckets;
        std::uint32_t used = 0;
        std::uint32_t depth = 0;  ///< leading bits of the spot that all its keys share
    };

    Segment make_segment(std::uint32_t buckets, std::uint32_t depth);
    static void place(Segment& segment, std::uint32_t mask, const Key& key, Spot spot,
                      std::uint32_t value);

    static bool same(const Key& a, const Key& b) {
        std::uint64_t x[2];
        std::uint64_t y[2];
        std::memcpy(x, a.bytes.data(), sizeof x);
        std::memcpy(y, b.bytes.data(), sizeof y);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }

    // Keys are of one of eight kinds, and a bucket counts the passers of each in four bits: a
    // look-up goes on only for what its own kind left. A count that is full stays so; that costs
    // time only.
    static constexpr std::uint32_t kPassedMany = 15;
    static constexpr std::uint32_t passed_shift(Spot spot) {
        return (spot >> 10 & 7) * 4;  // bits that choose neither the bucket nor the segment
    }
    static constexpr std::uint32_t passed_by(std::uint32_t passed, Spot spot) {
        return passed >> passed_shift(spot) & kPassedMany;
    }
    /// The bucket of step 0, 1, 2 ...: first its neighbour within 128 bytes, which the processor
    /// fetches along with it, then further pairs at a stride of the key's own, so that full
    /// buckets do not gather. An odd number of pairs visits all of them.
    static constexpr Spot nth(Spot spot, std::uint32_t step) {
        const Spot stride = (spot >> 16 | 1) << 1;
        return (spot + (step >> 1) * stride) ^ (step & 1U);
    }

    std::size_t directory_at(Spot spot) const { return spot >> 1 >> shift_; }
    Bucket* buckets_of(Spot spot) const { return directory_[directory_at(spot)]; }
    Segment& segment_of(Spot spot) { return segments_[owner_[directory_at(spot)]]; }
    void grow(Spot spot);
    void double_segment();
    void split(Spot spot);
    void double_directory();

    SegmentPool* pool_;
    std::uint64_t secret_a_, secret_b_;
    std::vector<Segment> segments_;
    std::vector<Bucket*> directory_;    ///< leading bits of a spot → buckets of its segment
    std::vector<std::uint32_t> owner_;  ///< the same → the segment
    std::uint32_t shift_ = 63;          ///< the directory goes by the 63 - shift_ leading bits
    std::uint32_t mask_ = kFirstBuckets - 1;  ///< all segments have the same number of buckets
    std::uint32_t full_;                      ///< entries with which a segment is full
    std::uint64_t size_ = 0;
};

}  // namespace penstock
