#include "penstock/gate/local/unit_table.h"

#include <cstring>
#include <utility>

#include "penstock/base/check.h"

namespace penstock {
namespace {

/// A segment grows or splits when more than 13 of 16 slots are in use.
constexpr std::uint32_t full_at(std::uint32_t buckets) {
    return buckets * 3 * 13 / 16;
}
/// 2^24 segments hold 4e10 entries; only keys that all share their leading bits come here sooner.
constexpr std::uint32_t kMaxDepth = 24;

}  // namespace

UnitTable::UnitTable(Random& random)
    : secret_a_(random.next()), secret_b_(random.next()), full_(full_at(kFirstBuckets)) {
    segments_.push_back(make_segment(kFirstBuckets, 0));
    directory_.push_back(0);
}

UnitTable::Segment UnitTable::make_segment(std::uint32_t buckets, std::uint32_t depth) {
    return Segment{std::make_unique<Bucket[]>(buckets), 0, depth};
}

UnitTable::Spot UnitTable::spot_of(const Key& key) const {
    std::uint64_t words[2];
    std::memcpy(words, key.bytes.data(), sizeof words);
    // Folding the product of two words, each under a secret: keys are chosen by strangers.
    const auto product =
        static_cast<unsigned __int128>(words[0] ^ secret_a_) * (words[1] ^ secret_b_);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

void UnitTable::prefetch(Spot spot) const {
    __builtin_prefetch(&segments_[index_of(spot)].buckets[spot & mask_], 1);
}

std::uint32_t* UnitTable::find(const Key& key, Spot spot) {
    Bucket* const buckets = segments_[index_of(spot)].buckets.get();
    for (Spot at = spot;; ++at) {
        Bucket& bucket = buckets[at & mask_];
        for (std::uint32_t i = 0; i < kSlots; ++i) {
            if (bucket.keys[i] == key && bucket.values[i] != 0) return &bucket.values[i];
        }
        if (bucket.passed == 0) return nullptr;
    }
}

void UnitTable::place(Segment& segment, std::uint32_t mask, const Key& key, Spot spot,
                      std::uint32_t value) {
    for (Spot at = spot;; ++at) {
        Bucket& bucket = segment.buckets[at & mask];
        for (std::uint32_t i = 0; i < kSlots; ++i) {
            if (bucket.values[i] != 0) continue;
            bucket.keys[i] = key;
            bucket.values[i] = value;
            ++segment.used;
            return;
        }
        ++bucket.passed;
    }
}

void UnitTable::insert(const Key& key, Spot spot, std::uint32_t value) {
    PENSTOCK_CHECK(value != 0);
    while (segments_[index_of(spot)].used >= full_) grow(spot);
    place(segments_[index_of(spot)], mask_, key, spot, value);
    ++size_;
}

bool UnitTable::erase(const Key& key, Spot spot) {
    std::uint32_t* const value = find(key, spot);
    if (value == nullptr) return false;
    *value = 0;
    Segment& segment = segments_[index_of(spot)];
    Bucket* const buckets = segment.buckets.get();
    for (Spot at = spot;; ++at) {
        Bucket& bucket = buckets[at & mask_];
        if (value >= bucket.values && value < bucket.values + kSlots) break;
        --bucket.passed;
    }
    --segment.used;
    --size_;
    return true;
}

void UnitTable::grow(Spot spot) {
    if (mask_ + 1 < kSegmentBuckets) {
        double_segment();
    } else {
        split(spot);
    }
}

void UnitTable::double_segment() {
    const std::uint32_t buckets = (mask_ + 1) * 2;
    Segment larger = make_segment(buckets, 0);
    for (std::uint32_t b = 0; b <= mask_; ++b) {
        const Bucket& bucket = segments_[0].buckets[b];
        for (std::uint32_t i = 0; i < kSlots; ++i) {
            if (bucket.values[i] == 0) continue;
            place(larger, buckets - 1, bucket.keys[i], spot_of(bucket.keys[i]), bucket.values[i]);
        }
    }
    segments_[0] = std::move(larger);
    mask_ = buckets - 1;
    full_ = full_at(buckets);
}

void UnitTable::split(Spot spot) {
    const std::uint32_t index = index_of(spot);
    if (segments_[index].depth == depth_) {
        PENSTOCK_CHECK(depth_ < kMaxDepth);
        std::vector<std::uint32_t> doubled(directory_.size() * 2);
        for (std::size_t i = 0; i < doubled.size(); ++i) doubled[i] = directory_[i / 2];
        directory_ = std::move(doubled);
        ++depth_;
    }
    const std::uint32_t depth = segments_[index].depth + 1;
    Segment low = make_segment(kSegmentBuckets, depth);
    Segment high = make_segment(kSegmentBuckets, depth);
    for (std::uint32_t b = 0; b < kSegmentBuckets; ++b) {
        const Bucket& bucket = segments_[index].buckets[b];
        for (std::uint32_t i = 0; i < kSlots; ++i) {
            if (bucket.values[i] == 0) continue;
            const Spot of = spot_of(bucket.keys[i]);
            Segment& half = (of >> (64 - depth) & 1) != 0 ? high : low;
            place(half, mask_, bucket.keys[i], of, bucket.values[i]);
        }
    }
    segments_[index] = std::move(low);
    segments_.push_back(std::move(high));
    // The directory's entries for this segment are neighbours; the upper half of them moves.
    const std::size_t span = std::size_t{1} << (depth_ - depth);
    const std::size_t first = (spot >> (64 - depth_)) / (span * 2) * (span * 2);
    const auto upper = static_cast<std::uint32_t>(segments_.size() - 1);
    for (std::size_t i = first + span; i < first + span * 2; ++i) directory_[i] = upper;
}

std::uint64_t UnitTable::memory_bytes() const {
    return segments_.size() * (std::uint64_t{mask_ + 1} * sizeof(Bucket) + sizeof(Segment)) +
           directory_.size() * sizeof(std::uint32_t);
}

}  // namespace penstock
