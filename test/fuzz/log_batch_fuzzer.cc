// FZ1: bytes as segment headers, batches and records. Whatever decodes encodes to the same again;
// nothing is read beyond the input.

#include <cstring>
#include <memory>
#include <vector>

#include "penstock/base/check.h"
#include "penstock/log/file/format.h"
#include "penstock/log/file/topic_meta.h"

namespace penstock::logfile {
namespace {

struct Decoded {
    std::vector<Logged> records;
    std::vector<Header> headers;
    std::vector<std::size_t> ends;  ///< in headers, of each record
};

bool decode(const BatchHeader& header, Bytes batch, Decoded& decoded) {
    RecordDecoder decoder(header, batch);
    while (!decoder.done()) {
        Logged record;
        if (!decoder.next(record, decoded.headers)) return false;
        decoded.records.push_back(record);
        decoded.ends.push_back(decoded.headers.size());
    }
    std::size_t begin = 0;
    for (std::size_t i = 0; i < decoded.records.size(); ++i) {
        decoded.records[i].headers =
            std::span(decoded.headers).subspan(begin, decoded.ends[i] - begin);
        begin = decoded.ends[i];
    }
    return true;
}

/// The records again, with the shortest lengths.
std::vector<std::byte> encode_all(const Decoded& decoded, LayoutId layout) {
    std::size_t bytes = kBatchHeaderBytes;
    for (const Logged& record : decoded.records) bytes += encoded_bytes(record, layout);
    std::vector<std::byte> batch(round_to_sector(bytes));
    std::byte* at = batch.data() + kBatchHeaderBytes;
    for (const Logged& record : decoded.records) {
        encode(record, layout, at);
        at += encoded_bytes(record, layout);
    }
    PENSTOCK_CHECK(at == batch.data() + bytes);
    return batch;
}

/// The input as the records of a batch that passes its checksums.
void as_records(Bytes input) {
    if (input.size() < 2 || input.size() > 256 * 1024) return;
    BatchHeader header;
    header.count = 1 + static_cast<std::uint32_t>(input[0]) % 16;
    header.layout = LayoutId(static_cast<std::uint32_t>(input[1]));
    header.base = Offset(7);
    header.length = static_cast<std::uint32_t>(kBatchHeaderBytes + input.size() - 2);
    if (header.length == kBatchHeaderBytes) return;
    // Exactly as long as the batch, so that a sanitizer sees every byte read behind it.
    std::vector<std::byte> batch(header.padded());
    std::memcpy(batch.data() + kBatchHeaderBytes, input.data() + 2, input.size() - 2);
    (void)seal(header, 1, batch);
    const auto sealed = decode_batch_header(batch, 1);
    if (!sealed) return;  // more records than bytes
    PENSTOCK_CHECK(body_is_good(sealed->header, batch));
    Decoded first;
    if (!decode(sealed->header, batch, first)) return;

    std::vector<std::byte> again = encode_all(first, header.layout);
    BatchHeader second_header = sealed->header;
    std::size_t bytes = kBatchHeaderBytes;
    for (const Logged& record : first.records) bytes += encoded_bytes(record, header.layout);
    second_header.length = static_cast<std::uint32_t>(bytes);
    (void)seal(second_header, 1, again);
    const auto resealed = decode_batch_header(again, 1);
    PENSTOCK_CHECK(resealed && body_is_good(resealed->header, again));
    Decoded second;
    PENSTOCK_CHECK(decode(resealed->header, again, second));
    PENSTOCK_CHECK(second.records.size() == first.records.size());
    for (std::size_t i = 0; i < first.records.size(); ++i) {
        PENSTOCK_CHECK(fingerprint(first.records[i]) == fingerprint(second.records[i]));
        PENSTOCK_CHECK(first.records[i].layout == second.records[i].layout);
    }
}

void as_it_is(Bytes input) {
    if (const auto header = decode_segment_header(input)) {
        PENSTOCK_CHECK(std::memcmp(encode(*header).data(), input.data(), 64) == 0);
    }
    if (const auto sealed = decode_batch_header(input, 0)) {
        PENSTOCK_CHECK(sealed->header.length <= kMaxBatchBytes);
        (void)body_is_good(sealed->header,
                           input.first(std::min(input.size(), sealed->header.padded())));
    }
    if (const auto meta = decode_topic_meta(input)) {
        PENSTOCK_CHECK(encode(*meta) == as_text(input));
    }
    (void)count_zero_sectors(input);
}

}  // namespace
}  // namespace penstock::logfile

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of exactly that length.
    const std::vector<std::byte> input(reinterpret_cast<const std::byte*>(data),
                                       reinterpret_cast<const std::byte*>(data) + size);
    penstock::logfile::as_it_is(input);
    penstock::logfile::as_records(input);
    return 0;
}
