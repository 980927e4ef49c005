#include "penstock/log/file/scanner.h"

#include <fmt/format.h>

namespace penstock::logfile {

SegmentScanner::SegmentScanner(File& file, const SegmentHeader& header, const Place& start,
                               std::size_t chunk_bytes)
    : file_(file), seed_(batch_seed(header.segment)), chunk_bytes_(chunk_bytes), place_(start) {}

/// Fewer bytes only at the limit or the end of the file.
Result<Bytes> SegmentScanner::at_place(std::size_t bytes, std::uint64_t limit) {
    const std::uint64_t begin = place_.position;
    bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, limit - begin));
    if (!chunk_ || begin + bytes > chunk_position_ + chunk_size_) {
        // Whoever holds views of the last chunk keeps it; what is left of it moves to the front.
        const std::size_t want = static_cast<std::size_t>(
            std::min<std::uint64_t>(std::max(bytes, chunk_bytes_), limit - begin));
        std::size_t kept = 0;
        view_ = {};
        auto chunk = chunk_ && chunk_.use_count() == 1 && chunk_->capacity() >= want
                         ? chunk_
                         : std::make_shared<Buffer>();
        chunk->reserve(want, 0);
        if (chunk_ && begin < chunk_position_ + chunk_size_) {
            kept = static_cast<std::size_t>(chunk_position_ + chunk_size_ - begin);
            std::memmove(chunk->data(), chunk_->data() + (begin - chunk_position_), kept);
        }
        auto read = file_.read(begin + kept, {chunk->data() + kept, want - kept});
        if (!read) return std::move(read).error();
        chunk_ = std::move(chunk);
        chunk_position_ = begin;
        chunk_size_ = kept + *read;
    }
    const std::size_t at = static_cast<std::size_t>(begin - chunk_position_);
    return Bytes(chunk_->data() + at, std::min(bytes, chunk_size_ - at));
}

Found SegmentScanner::bad(std::string why) {
    why_ = std::move(why);
    return Found::bad;
}

Result<Found> SegmentScanner::next(std::uint64_t limit) {
    bad_header_.reset();
    if (place_.position >= limit) return Found::zeros;
    auto sector = at_place(kSector, limit);
    if (!sector) return std::move(sector).error();
    if (all_zero(*sector)) return Found::zeros;
    const auto sealed = decode_batch_header(*sector, seed_);
    if (!sealed) return bad("there is no batch header with a good checksum");
    const BatchHeader& header = sealed->header;
    if (header.base != place_.offset) {
        return bad(fmt::format("a good batch begins with offset {} where {} is next",
                               header.base.value(), place_.offset.value()));
    }
    if (header.previous != place_.previous) {
        return bad("a good batch does not follow the one before it");
    }
    if (header.time < place_.time) return bad("a good batch is older than the one before it");
    auto batch = at_place(header.padded(), limit);
    if (!batch) return std::move(batch).error();
    if (!body_is_good(header, *batch)) {
        bad_header_ = header;
        return bad(batch->size() < header.padded() ? "a batch is cut short"
                                                   : "the checksum of a batch's body is wrong");
    }
    view_ = {chunk_, *batch, header, sealed->crc, place_.position};
    place_ = {place_.position + header.padded(), header.end(), sealed->crc, header.time};
    return Found::batch;
}

}  // namespace penstock::logfile
