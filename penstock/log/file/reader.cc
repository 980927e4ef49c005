#include "penstock/log/file/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::logfile {
namespace {

/// A read of the disk takes this much more than was asked for: headers and lengths.
constexpr std::size_t kLeastChunkBytes = 64 * 1024;

std::size_t bytes_of(const Logged& record) {
    return (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
}

}  // namespace

Result<void> DecodedBatch::add(const BatchView& view, RecordDecoder& decoder,
                               const ReadLimits& limits) {
    views_.push_back(view);
    while (!decoder.done() && !full(limits)) {
        const std::size_t headers_before = headers_.size();
        const RecordDecoder::Mark before = decoder.mark();
        Logged& record = records_.emplace_back();
        if (auto decoded = decoder.next(record, headers_); !decoded) {
            records_.pop_back();
            return decoded;
        }
        std::size_t bytes = bytes_of(record);
        for (std::size_t i = headers_before; i < headers_.size(); ++i) {
            bytes += headers_[i].name.size() + headers_[i].value.size();
        }
        if (records_.size() > 1 && bytes_ + bytes > limits.max_bytes) {
            records_.pop_back();
            headers_.resize(headers_before);
            decoder.rewind(before);
            bytes_ = limits.max_bytes;  // full
            return {};
        }
        bytes_ += bytes;
        if (headers_.size() > headers_before)
            with_headers_.emplace_back(records_.size() - 1, headers_.size());
    }
    return {};
}

void DecodedBatch::finish() {
    std::size_t begin = 0;
    for (const auto& [record, end] : with_headers_) {
        records_[record].headers = std::span(headers_).subspan(begin, end - begin);
        begin = end;
    }
}

/// A segment that is being read forward.
class FileReader::Disk {
public:
    Disk(std::unique_ptr<File> file, const ReadPlan::OnDisk& plan, std::size_t chunk_bytes)
        : segment_(plan.header.segment),
          file_(std::move(file)),
          scanner_(*file_, plan.header, plan.place, chunk_bytes) {}

    /// It stands before `from`, and nothing is gained by jumping to `place`.
    bool serves(const ReadPlan::OnDisk& plan, Offset from) const {
        return plan.header.segment == segment_ && scanner_.place().offset <= from &&
               scanner_.place().position >= plan.place.position;
    }
    SegmentScanner& scanner() { return scanner_; }

private:
    const Uuid segment_;
    const std::unique_ptr<File> file_;
    SegmentScanner scanner_;
};

FileReader::FileReader(FileSystem& files, std::shared_ptr<Partition> partition)
    : files_(files), partition_(std::move(partition)) {}
FileReader::~FileReader() = default;

Result<std::unique_ptr<ReadBatch>> FileReader::read(Offset from, const ReadLimits& limits) {
    auto batch = std::make_unique<DecodedBatch>();
    Offset next = from;
    // max_records 0 would never end.
    const ReadLimits at_least{std::max<std::size_t>(limits.max_records, 1), limits.max_bytes};
    while (batch->empty() || !batch->full(at_least)) {
        const bool continues =
            position_ && !position_->decoder.done() && position_->decoder.next_offset() == next;
        if (!continues) {
            auto found = seek(next, at_least);
            if (!found) {
                if (batch->empty()) return std::move(found).error();
                break;
            }
            if (!*found) break;
        }
        const Offset before = position_->decoder.next_offset();
        if (auto added = batch->add(position_->view, position_->decoder, at_least); !added) {
            const Error damage = error(
                Code::damaged,
                fmt::format("partition {}/{} at offset {}: {}", partition_->at().topic.value(),
                            partition_->at().partition.value(),
                            position_->decoder.next_offset().value(), added.error().text));
            partition_->stop_damaged(damage);
            return damage;
        }
        next = position_->decoder.next_offset();
        if (next == before) break;  // full
    }
    batch->finish();
    return std::unique_ptr<ReadBatch>(std::move(batch));
}

/// Puts position_ at `from`. False: `from` is the end.
Result<bool> FileReader::seek(Offset from, const ReadLimits& limits) {
    position_.reset();
    if (ahead_.empty() || ahead_.back().header.base != from) {
        ahead_.clear();
        auto plan = partition_->plan(from, limits.max_bytes);
        if (!plan) return std::move(plan).error();
        if (plan->disk) return seek_on_disk(*plan->disk, from, limits);
        if (plan->cached.empty()) return false;
        ahead_ = std::move(plan->cached);
        std::reverse(ahead_.begin(), ahead_.end());
    }
    const BatchView view = std::move(ahead_.back());
    ahead_.pop_back();
    PENSTOCK_TRY(enter(view, from));
    return true;
}

Result<bool> FileReader::seek_on_disk(const ReadPlan::OnDisk& plan, Offset from,
                                      const ReadLimits& limits) {
    if (!disk_ || !disk_->serves(plan, from)) {
        auto file = files_.open(plan.path, OpenMode::read);
        if (!file) return std::move(file).error();
        disk_ = std::make_unique<Disk>(std::move(*file), plan,
                                       std::max(kLeastChunkBytes, limits.max_bytes));
    }
    SegmentScanner& scanner = disk_->scanner();
    do {
        auto found = scanner.next(plan.limit);
        if (!found) return std::move(found).error();
        if (*found == Found::batch) continue;
        const Error damage = error(
            Code::damaged,
            fmt::format("{} is damaged at position {}, offset {}: {}. Restart: the recovery says "
                        "what can be done",
                        plan.path, scanner.place().position, scanner.place().offset.value(),
                        *found == Found::bad ? scanner.why() : "zeros where a batch was"));
        partition_->stop_damaged(damage);
        return damage;
    } while (scanner.view().header.end() <= from);
    PENSTOCK_TRY(enter(scanner.view(), from));
    return true;
}

Result<void> FileReader::enter(const BatchView& view, Offset from) {
    position_.emplace(Position{view, RecordDecoder(view.header, view.bytes)});
    Logged skipped;
    std::vector<Header> headers;
    while (position_->decoder.next_offset() < from) {
        headers.clear();
        PENSTOCK_TRY(position_->decoder.next(skipped, headers));
    }
    return {};
}

}  // namespace penstock::logfile
