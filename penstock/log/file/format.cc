#include "penstock/log/file/format.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "penstock/base/checksum.h"

namespace penstock::logfile {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint32_t kSegmentMagic = 0x47535350;  // PSSG
constexpr std::uint32_t kBatchMagic = 0x31425350;    // PSB1

enum Flag : std::uint8_t { kHasKey = 1, kHasValue = 2, kHasHeaders = 4, kHasLayout = 8 };
constexpr std::uint8_t kAllFlags = kHasKey | kHasValue | kHasHeaders | kHasLayout;

template <class T>
void put(std::byte* at, T value) {
    std::memcpy(at, &value, sizeof value);
}

template <class T>
T get(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

std::size_t varint_bytes(std::size_t value) {
    std::size_t bytes = 1;
    for (; value >= 0x80; value >>= 7) ++bytes;
    return bytes;
}

std::byte* put_varint(std::byte* at, std::size_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
    *at++ = static_cast<std::byte>(value);
    return at;
}

std::byte* put_bytes(std::byte* at, Bytes bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return at + bytes.size();
}

Error damaged(const char* what) {
    return error(Code::damaged, what);
}

constexpr const char* kCutShort = "a record is cut short";
constexpr const char* kLongLength = "a length in a record has more than 32 bits";

// Places in the segment header.
constexpr std::size_t kTopicNameAt = 72;
constexpr std::size_t kHeaderCrcAt = kSegmentHeaderBytes - 4;
constexpr std::size_t kBatchCrcAt = kBatchHeaderBytes - 4;

}  // namespace

bool all_zero(Bytes bytes) {
    if (bytes.empty()) return true;
    return bytes[0] == std::byte{0} &&
           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

SegmentHeaderBytes encode(const SegmentHeader& header) {
    SegmentHeaderBytes bytes{};
    std::byte* at = bytes.data();
    put(at, kSegmentMagic);
    put(at + 4, kFormatVersion);
    std::memcpy(at + 8, header.segment.bytes.data(), 16);
    std::memcpy(at + 24, header.partition_uuid.bytes.data(), 16);
    put(at + 40, header.base.value());
    put(at + 48, header.file_bytes);
    put(at + 56, header.at.partition.value());
    put(at + 60, header.previous.value());
    put(at + 64, unix_ms(header.previous_time));
    const std::string& name = header.at.topic.value();
    put(at + 72, static_cast<std::uint16_t>(name.size()));
    put_bytes(at + kTopicNameAt + 2, as_bytes(name));
    put(at + kHeaderCrcAt, crc32c(Bytes(bytes).first(kHeaderCrcAt)));
    return bytes;
}

Result<SegmentHeader> decode_segment_header(Bytes sector) {
    if (sector.size() < kSegmentHeaderBytes) return damaged("the segment header is cut short");
    const std::byte* at = sector.data();
    if (get<std::uint32_t>(at) != kSegmentMagic) return damaged("this is no segment header");
    if (get<std::uint32_t>(at + kHeaderCrcAt) != crc32c(sector.first(kHeaderCrcAt))) {
        return damaged("the checksum of the segment header is wrong");
    }
    const auto version = get<std::uint32_t>(at + 4);
    if (version != kFormatVersion) {
        return error(Code::too_new, fmt::format("the segment has format version {}; this program "
                                                "knows {}: use a newer one",
                                                version, kFormatVersion));
    }
    const auto name_bytes = get<std::uint16_t>(at + kTopicNameAt);
    if (kTopicNameAt + 2 + name_bytes > kHeaderCrcAt)
        return damaged("the topic's name is too long");
    SegmentHeader header;
    std::memcpy(header.segment.bytes.data(), at + 8, 16);
    std::memcpy(header.partition_uuid.bytes.data(), at + 24, 16);
    header.base = Offset(get<std::uint64_t>(at + 40));
    header.file_bytes = get<std::uint64_t>(at + 48);
    header.at.partition = PartitionId(get<std::uint32_t>(at + 56));
    header.previous = Chain(get<std::uint32_t>(at + 60));
    header.previous_time = log_time(get<std::int64_t>(at + 64));
    header.at.topic = TopicId(std::string(as_text(sector.subspan(kTopicNameAt + 2, name_bytes))));
    return header;
}

Chain chain_of(const SegmentHeaderBytes& header) {
    return Chain(get<std::uint32_t>(header.data() + kHeaderCrcAt));
}

std::uint32_t batch_seed(const Uuid& segment) {
    return crc32c(std::as_bytes(std::span(segment.bytes)));
}

Chain seal(BatchHeader header, std::uint32_t seed, std::span<std::byte> batch) {
    std::memset(batch.data() + header.length, static_cast<int>(kPadding),
                header.padded() - header.length);
    std::memset(batch.data(), 0, kBatchHeaderBytes);
    std::byte* at = batch.data();
    put(at, kBatchMagic);
    put(at + 4, header.length);
    put(at + 8, header.count);
    put(at + 12, header.layout.value());
    put(at + 16, header.base.value());
    put(at + 24, unix_ms(header.time));
    put(at + 32, header.previous.value());
    const Bytes whole = Bytes(batch).first(header.padded());
    put(at + 36, count_zero_sectors(whole));
    put(at + 40, crc32c(whole.subspan(kBatchHeaderBytes)));
    const std::uint32_t crc = crc32c(whole.first(kBatchCrcAt), seed);
    put(at + kBatchCrcAt, crc);
    return Chain(crc);
}

std::optional<SealedHeader> decode_batch_header(Bytes bytes, std::uint32_t seed) {
    if (bytes.size() < kBatchHeaderBytes) return {};
    const std::byte* at = bytes.data();
    if (get<std::uint32_t>(at) != kBatchMagic) return {};
    const std::uint32_t crc = crc32c(bytes.first(kBatchCrcAt), seed);
    if (get<std::uint32_t>(at + kBatchCrcAt) != crc) return {};
    BatchHeader header;
    header.length = get<std::uint32_t>(at + 4);
    header.count = get<std::uint32_t>(at + 8);
    header.layout = LayoutId(get<std::uint32_t>(at + 12));
    header.base = Offset(get<std::uint64_t>(at + 16));
    header.time = log_time(get<std::int64_t>(at + 24));
    header.previous = Chain(get<std::uint32_t>(at + 32));
    header.zero_sectors = get<std::uint32_t>(at + 36);
    header.body_crc = get<std::uint32_t>(at + 40);
    if (header.length <= kBatchHeaderBytes || header.length > kMaxBatchBytes) return {};
    // A record takes at least its flags.
    if (header.count == 0 || header.count > header.length - kBatchHeaderBytes) return {};
    return SealedHeader{header, Chain(crc)};
}

bool body_is_good(const BatchHeader& header, Bytes batch) {
    return batch.size() == header.padded() &&
           crc32c(batch.subspan(kBatchHeaderBytes)) == header.body_crc;
}

std::uint32_t count_zero_sectors(Bytes batch) {
    std::uint32_t count = 0;
    for (std::size_t at = 0; at + kSector <= batch.size(); at += kSector) {
        if (all_zero(batch.subspan(at, kSector))) ++count;
    }
    return count;
}

std::size_t encoded_bytes(const Record& record, LayoutId batch) {
    std::size_t bytes = 1;
    if (record.layout != batch) bytes += 4;
    if (record.key) bytes += varint_bytes(record.key->size()) + record.key->size();
    if (record.value) bytes += varint_bytes(record.value->size()) + record.value->size();
    if (!record.headers.empty()) ++bytes;
    for (const Header& header : record.headers) {
        bytes += varint_bytes(header.name.size()) + header.name.size();
        bytes += varint_bytes(header.value.size()) + header.value.size();
    }
    return bytes;
}

void encode(const Record& record, LayoutId batch, std::byte* into) {
    std::uint8_t flags = 0;
    if (record.key) flags |= kHasKey;
    if (record.value) flags |= kHasValue;
    if (!record.headers.empty()) flags |= kHasHeaders;
    if (record.layout != batch) flags |= kHasLayout;
    *into++ = static_cast<std::byte>(flags);
    if (flags & kHasLayout) {
        put(into, record.layout.value());
        into += 4;
    }
    if (record.key) into = put_varint(into, record.key->size());
    if (record.value) into = put_varint(into, record.value->size());
    if (flags & kHasHeaders) *into++ = static_cast<std::byte>(record.headers.size());
    for (const Header& header : record.headers) {
        into = put_varint(into, header.name.size());
        into = put_varint(into, header.value.size());
    }
    if (record.key) into = put_bytes(into, *record.key);
    if (record.value) into = put_bytes(into, *record.value);
    for (const Header& header : record.headers) {
        into = put_bytes(into, as_bytes(header.name));
        into = put_bytes(into, header.value);
    }
}

RecordDecoder::RecordDecoder(const BatchHeader& header, Bytes batch)
    : header_(header),
      rest_(batch.subspan(kBatchHeaderBytes, header.length - kBatchHeaderBytes)),
      next_(header.base) {}

bool RecordDecoder::varint(std::uint32_t& into) {
    std::uint64_t value = 0;
    for (int i = 0; i < 5; ++i) {
        if (rest_.empty()) return wrong(kCutShort);
        const auto byte = static_cast<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        into = static_cast<std::uint32_t>(value);
        return value <= 0xffffffff || wrong(kLongLength);
    }
    return wrong(kLongLength);
}

bool RecordDecoder::take(std::size_t bytes, Bytes& into) {
    if (bytes > rest_.size()) return wrong(kCutShort);
    into = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return true;
}

bool RecordDecoder::wrong(const char* why) {
    wrong_ = why;
    return false;
}

Result<void> RecordDecoder::next(Logged& record, std::vector<Header>& headers) {
    record = Logged{};
    record.layout = header_.layout;
    record.offset = next_;
    record.time = header_.time;
    if (!read(record, headers)) return damaged(wrong_);
    next_ = Offset(next_.value() + 1);
    if (done() && !rest_.empty()) return damaged("bytes are left behind the last record");
    return {};
}

bool RecordDecoder::read(Logged& record, std::vector<Header>& headers) {
    Bytes bytes;
    if (!take(1, bytes)) return false;
    const auto flags = static_cast<std::uint8_t>(bytes.front());
    if (flags & ~kAllFlags) return wrong("a record has unknown flags");
    if (flags & kHasLayout) {
        if (!take(4, bytes)) return false;
        record.layout = LayoutId(get<std::uint32_t>(bytes.data()));
    }
    std::uint32_t key_bytes = 0;
    std::uint32_t value_bytes = 0;
    if ((flags & kHasKey) && !varint(key_bytes)) return false;
    if ((flags & kHasValue) && !varint(value_bytes)) return false;
    if (key_bytes > kMaxKeyBytes || value_bytes > kMaxValueBytes) {
        return wrong("a record's key or value is over the limit");
    }
    std::array<std::array<std::uint32_t, 2>, kMaxHeaders> header_bytes;
    std::size_t header_count = 0;
    if (flags & kHasHeaders) {
        if (!take(1, bytes)) return false;
        header_count = static_cast<std::size_t>(bytes.front());
        if (header_count == 0 || header_count > kMaxHeaders) {
            return wrong("a record's number of headers is over the limit");
        }
    }
    for (std::size_t i = 0; i < header_count; ++i) {
        if (!varint(header_bytes[i][0]) || !varint(header_bytes[i][1])) return false;
    }
    if (flags & kHasKey) {
        if (!take(key_bytes, bytes)) return false;
        record.key = bytes;
    }
    if (flags & kHasValue) {
        if (!take(value_bytes, bytes)) return false;
        record.value = bytes;
    }
    for (std::size_t i = 0; i < header_count; ++i) {
        Bytes name;
        if (!take(header_bytes[i][0], name) || !take(header_bytes[i][1], bytes)) return false;
        headers.push_back({as_text(name), bytes});
    }
    return true;
}

}  // namespace penstock::logfile
