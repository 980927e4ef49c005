#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "penstock/log/file/scanner.h"

namespace penstock::logfile {

inline constexpr std::string_view kSegmentSuffix = ".segment";
inline constexpr std::string_view kSpareName = "spare.tmp";

/// `<20 digits>.segment`
std::string segment_name(Offset base);
/// Empty for any other name.
std::optional<Offset> base_of_segment(std::string_view name);

/// A segment and where to find things in it. The active one grows.
/// Threads: header and path are constant; the rest is its partition's, under its lock.
struct Segment {
    std::string path;
    SegmentHeader header;
    Chain header_chain;
    Place end;  ///< behind the last good batch
    /// Every kIndexStep bytes the place of a batch, the first one included.
    std::vector<Place> index;

    static constexpr std::uint64_t kIndexStep = 64 * 1024;

    Offset base() const { return header.base; }
    Place first() const {
        return {kSegmentHeaderBytes, header.base, header_chain, header.previous_time};
    }
    void add(const Place& begin, const Place& behind) {
        if (index.empty() || begin.position - index.back().position >= kIndexStep) {
            index.push_back(begin);
        }
        end = behind;
    }
    /// A place at or before the batch that holds `offset`.
    Place find(Offset offset) const {
        const auto after = std::upper_bound(
            index.begin(), index.end(), offset,
            [](Offset wanted, const Place& place) { return wanted < place.offset; });
        return after == index.begin() ? first() : *(after - 1);
    }
    /// A place at or before the first batch whose time is not below `time`.
    Place find(LogTime time) const {
        // place.time is that of the batch before the place.
        const auto after = std::partition_point(
            index.begin(), index.end(), [&](const Place& place) { return place.time < time; });
        return after == index.begin() ? first() : *(after - 1);
    }
};

}  // namespace penstock::logfile
