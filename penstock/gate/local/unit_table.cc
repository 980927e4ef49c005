#include "penstock/gate/local/unit_table.h"

#include <utility>

#include "penstock/base/check.h"

namespace penstock {
namespace {

/// A segment grows or splits when more than 11 of 16 slots are in use: with more, the look-ups that
/// go on to a second bucket, whose memory nothing has asked for ahead, cost a third of the speed.
constexpr std::uint32_t full_at(std::uint32_t buckets) {
    return buckets * 3 * 11 / 16;
}
/// 2^24 segments hold 4e10 entries; only keys that all share their leading bits come here sooner.
constexpr std::uint32_t kMaxDepth = 24;

}  // namespace

UnitTable::UnitTable(Random& random, SegmentPool& pool)
    : pool_(&pool),
      secret_a_(random.next()),
      secret_b_(random.next()),
      full_(full_at(kFirstBuckets)) {
    segments_.push_back(make_segment(kFirstBuckets, 0));
    directory_.push_back(segments_[0].buckets.get());
    owner_.push_back(0);
}

void UnitTable::Release::operator()(Bucket* buckets) const {
    if (pool != nullptr) return pool->give_back(buckets);
    delete[] buckets;
}

UnitTable::Segment UnitTable::make_segment(std::uint32_t buckets, std::uint32_t depth) {
    if (buckets < kSegmentBuckets) return {{new Bucket[buckets]{}, {nullptr}}, 0, depth};
    return {{static_cast<Bucket*>(pool_->take()), {pool_}}, 0, depth};
}

void UnitTable::place(Segment& segment, std::uint32_t mask, const Key& key, Spot spot,
                      std::uint32_t value) {
    for (std::uint32_t step = 0;; ++step) {
        Bucket& bucket = segment.buckets[nth(spot, step) & mask];
        for (std::uint32_t i = 0; i < kSlots; ++i) {
            if (bucket.values[i] != 0) continue;
            bucket.keys[i] = key;
            bucket.values[i] = value;
            ++segment.used;
            return;
        }
        if (passed_by(bucket.passed, spot) < kPassedMany) bucket.passed += 1U << passed_shift(spot);
    }
}

void UnitTable::insert(const Key& key, Spot spot, std::uint32_t value) {
    PENSTOCK_CHECK(value != 0);
    while (segment_of(spot).used >= full_) grow(spot);
    place(segment_of(spot), mask_, key, spot, value);
    ++size_;
}

bool UnitTable::erase(const Key& key, Spot spot) {
    std::uint32_t* const value = find(key, spot);
    if (value == nullptr) return false;
    *value = 0;
    Segment& segment = segment_of(spot);
    Bucket* const buckets = segment.buckets.get();
    for (std::uint32_t step = 0;; ++step) {
        Bucket& bucket = buckets[nth(spot, step) & mask_];
        if (value >= bucket.values && value < bucket.values + kSlots) break;
        if (passed_by(bucket.passed, spot) < kPassedMany) bucket.passed -= 1U << passed_shift(spot);
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
    directory_[0] = segments_[0].buckets.get();
    mask_ = buckets - 1;
    full_ = full_at(buckets);
}

void UnitTable::split(Spot spot) {
    const std::uint32_t index = owner_[directory_at(spot)];
    if (segments_[index].depth == 63 - shift_) double_directory();
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
    // The directory's entries for this segment are neighbours; the upper half of them moves.
    const std::size_t span = std::size_t{1} << (63 - shift_ - depth);
    const std::size_t first = directory_at(spot) / (span * 2) * (span * 2);
    for (std::size_t i = first; i < first + span * 2; ++i) {
        const bool upper = i >= first + span;
        directory_[i] = (upper ? high : low).buckets.get();
        owner_[i] = upper ? static_cast<std::uint32_t>(segments_.size()) : index;
    }
    segments_[index] = std::move(low);
    segments_.push_back(std::move(high));
}

void UnitTable::double_directory() {
    PENSTOCK_CHECK(63 - shift_ < kMaxDepth);
    std::vector<Bucket*> directory(directory_.size() * 2);
    std::vector<std::uint32_t> owner(directory.size());
    for (std::size_t i = 0; i < directory.size(); ++i) {
        directory[i] = directory_[i / 2];
        owner[i] = owner_[i / 2];
    }
    directory_ = std::move(directory);
    owner_ = std::move(owner);
    --shift_;
}

std::uint64_t UnitTable::memory_bytes() const {
    return segments_.size() * (std::uint64_t{mask_ + 1} * sizeof(Bucket) + sizeof(Segment)) +
           directory_.size() * (sizeof(void*) + sizeof(std::uint32_t));
}

}  // namespace penstock
