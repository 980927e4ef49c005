#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/log/log.h"

/// Bytes of segments, batches and records, exactly as docs/formats.md says. No I/O here.
namespace penstock::logfile {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kSector = 512;
inline constexpr std::size_t kSegmentHeaderBytes = kSector;
inline constexpr std::size_t kBatchHeaderBytes = 64;
/// No batch of any version 1 file is longer: bounds what a reader allocates.
inline constexpr std::size_t kMaxBatchBytes = 16 * 1024 * 1024;
inline constexpr std::byte kPadding{0xa5};

/// CRC of a batch or of a segment header: what the next one must name as the one before.
using Chain = StrongId<std::uint32_t, struct ChainTag>;

constexpr std::size_t round_to_sector(std::size_t bytes) {
    return (bytes + kSector - 1) / kSector * kSector;
}

bool all_zero(Bytes bytes);

struct SegmentHeader {
    Uuid segment;
    Uuid partition_uuid;
    TopicPartition at;
    Offset base;
    std::uint64_t file_bytes = 0;
    Chain previous;
    LogTime previous_time{};
};

using SegmentHeaderBytes = std::array<std::byte, kSegmentHeaderBytes>;
SegmentHeaderBytes encode(const SegmentHeader& header);
/// damaged or too_new; the text says what is wrong, not where.
Result<SegmentHeader> decode_segment_header(Bytes sector);
/// What the first batch of the segment and, without any batch, the next segment must name.
Chain chain_of(const SegmentHeaderBytes& header);

struct BatchHeader {
    std::uint32_t length = 0;  ///< with header, without padding
    std::uint32_t count = 0;
    LayoutId layout;
    Offset base;
    LogTime time{};
    Chain previous;
    std::uint32_t zero_sectors = 0;
    std::uint32_t body_crc = 0;

    std::size_t padded() const { return round_to_sector(length); }
    Offset end() const { return Offset(base.value() + count); }
};

/// CRC with which the batch CRCs of a segment begin.
std::uint32_t batch_seed(const Uuid& segment);

/// Header and padding of the batch whose records stand at kBatchHeaderBytes.. in `batch`, which
/// has room up to padded(); fills in zero_sectors and body_crc. Returns its CRC.
Chain seal(BatchHeader header, std::uint32_t seed, std::span<std::byte> batch);

struct SealedHeader {
    BatchHeader header;
    Chain crc;
};
/// Empty unless magic, CRC, lengths and count are right.
std::optional<SealedHeader> decode_batch_header(Bytes bytes, std::uint32_t seed);
/// `batch`: with header and padding.
bool body_is_good(const BatchHeader& header, Bytes batch);
std::uint32_t count_zero_sectors(Bytes batch);

/// Bytes of an encoded record; `batch` is the layout in the batch header.
std::size_t encoded_bytes(const Record& record, LayoutId batch);
/// Writes exactly encoded_bytes() of them.
void encode(const Record& record, LayoutId batch, std::byte* into);

/// Takes the records of a batch one after the other. The views borrow from the batch.
class RecordDecoder {
public:
    /// `batch` passed its checks.
    RecordDecoder(const BatchHeader& header, Bytes batch);

    /// Where it stands.
    struct Mark {
        Bytes rest;
        Offset next;
    };
    Mark mark() const { return {rest_, next_}; }
    void rewind(const Mark& mark) { rest_ = mark.rest, next_ = mark.next; }

    Offset next_offset() const { return next_; }
    bool done() const { return next_ == header_.end(); }
    /// Headers are appended to `headers`; `record.headers` is left empty, the caller sets it when
    /// `headers` no longer moves. damaged: lengths do not fit.
    Result<void> next(Logged& record, std::vector<Header>& headers);

private:
    // False: the bytes do not fit, and `wrong_` says why.
    bool read(Logged& record, std::vector<Header>& headers);
    bool varint(std::uint32_t& into);
    bool take(std::size_t bytes, Bytes& into);
    bool wrong(const char* why);

    BatchHeader header_;
    Bytes rest_;
    Offset next_;
    const char* wrong_ = nullptr;
};

}  // namespace penstock::logfile
