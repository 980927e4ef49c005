#pragma once

#include <memory>

#include "penstock/base/files.h"
#include "penstock/log/file/buffer.h"
#include "penstock/log/file/format.h"

namespace penstock::logfile {

/// Where a batch begins, and what it must be to belong there.
struct Place {
    std::uint64_t position = kSegmentHeaderBytes;
    Offset offset;
    Chain previous;
    LogTime time{};  ///< of the batch before
};

/// A batch in memory, with the memory.
struct BatchView {
    std::shared_ptr<const Buffer> owner;  // shared by the batches of one read and by their readers
    Bytes bytes;                          ///< header to padding
    BatchHeader header;
    Chain crc;
    std::uint64_t position = 0;
};

/// What stands where a batch should.
enum class Found : std::uint8_t { batch, zeros, bad };

/// Reads the batches of a segment one after the other and believes none of them.
/// Threads: one.
class SegmentScanner {
public:
    /// `chunk_bytes`: read at once. `file` outlives the scanner.
    SegmentScanner(File& file, const SegmentHeader& header, const Place& start,
                   std::size_t chunk_bytes);

    /// Looks at place(), no further than `limit`. batch: it is in view() and place() moved behind
    /// it. zeros: a sector of zeros, or the limit. bad: why() says why, and bad_header() is there
    /// if the header alone is good and belongs here.
    Result<Found> next(std::uint64_t limit);

    const Place& place() const { return place_; }
    const BatchView& view() const { return view_; }
    const std::string& why() const { return why_; }
    const std::optional<BatchHeader>& bad_header() const { return bad_header_; }

private:
    Result<Bytes> at_place(std::size_t bytes, std::uint64_t limit);
    Found bad(std::string why);

    File& file_;
    const std::uint32_t seed_;
    const std::size_t chunk_bytes_;
    Place place_;
    BatchView view_;
    std::string why_;
    std::optional<BatchHeader> bad_header_;

    std::shared_ptr<Buffer> chunk_;
    std::uint64_t chunk_position_ = 0;
    std::size_t chunk_size_ = 0;
};

}  // namespace penstock::logfile
