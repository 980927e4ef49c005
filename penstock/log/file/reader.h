#pragma once

#include <memory>

#include "penstock/log/file/partition.h"

namespace penstock::logfile {

/// Records with the batches that they borrow from.
class DecodedBatch final : public ReadBatch {
public:
    std::span<const Logged> records() const override { return records_; }

    /// Decodes from `decoder`, which is in `view`, up to the limits. At least one record comes.
    Result<void> add(const BatchView& view, RecordDecoder& decoder, const ReadLimits& limits);
    bool full(const ReadLimits& limits) const {
        return records_.size() >= limits.max_records || bytes_ >= limits.max_bytes;
    }
    /// The views of headers become valid; nothing is added afterwards.
    void finish();
    bool empty() const { return records_.empty(); }
    void reserve(std::size_t records) { records_.reserve(records); }

private:
    std::vector<BatchView> views_;
    std::vector<Logged> records_;
    std::vector<Header> headers_;
    std::vector<std::pair<std::size_t, std::size_t>> with_headers_;  ///< record, end in headers_
    std::size_t bytes_ = 0;
};

/// Reads a partition forward, from memory where the latest batches are, else from its segments.
/// Threads: one.
class FileReader final : public PartitionReader {
public:
    FileReader(FileSystem& files, std::shared_ptr<Partition> partition);
    ~FileReader() override;

    Result<OffsetRange> range() override { return partition_->range(); }
    Result<std::unique_ptr<ReadBatch>> read(Offset from, const ReadLimits& limits) override;

private:
    /// Where the last read stopped inside a batch.
    struct Position {
        BatchView view;
        RecordDecoder decoder;
    };
    class Disk;

    Result<bool> seek(Offset from, const ReadLimits& limits);
    Result<bool> seek_on_disk(const ReadPlan::OnDisk& plan, Offset from, const ReadLimits& limits);
    Result<void> enter(const BatchView& view, Offset from);

    FileSystem& files_;
    const std::shared_ptr<Partition> partition_;  // outlives a topic that is removed
    std::optional<Position> position_;
    std::vector<BatchView> ahead_;  ///< from memory, behind position_, reversed
    std::unique_ptr<Disk> disk_;
};

}  // namespace penstock::logfile
