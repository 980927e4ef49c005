#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "penstock/base/env.h"
#include "penstock/log/file/reader.h"
#include "penstock/log/file/scanner.h"
#include "penstock/log/file/topic_meta.h"
#include "penstock/log/log.h"

namespace penstock {

/// A file log that may be running in another process, read from outside: no lock, nothing changed.
/// Sequential reads are cheap, others scan their segment. Of a running log, what is below an offset
/// that the store has applied is there; the last batch may look torn while it is written.
/// Whatever would write is refused (read_only). Threads: one.
class FileLogView final : public Log {
public:
    FileLogView(Env& env, std::string directory);
    ~FileLogView() override;

    Result<void> create(const TopicSpec&) override { return refused(); }
    Result<void> alter(const TopicSpec&) override { return refused(); }
    Result<void> remove(const TopicId&) override { return refused(); }
    /// Checks every batch. A damaged partition says so in `stopped` and ends before the damage.
    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic) override;
    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink) override;
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition& at, Offset from,
                                            const ReadLimits& limits) override;
    Result<Offset> offset_at(const TopicPartition&, LogTime) override { return refused(); }
    Result<std::unique_ptr<Subscription>> subscribe(const GroupSpec&) override { return refused(); }
    Result<Offset> trim(const TopicPartition&, Offset, LogTime) override { return refused(); }
    void stop(MonoTime) override {}

private:
    /// Where the last read of a partition stopped.
    struct Cursor;

    static Error refused();
    std::string directory_of(const TopicPartition& at) const;
    Result<bool> open_at(const TopicPartition& at, Offset from, Cursor& cursor);
    Result<bool> open_next(const TopicPartition& at, Cursor& cursor);
    Result<void> open_segment(const TopicPartition& at, Offset base, Cursor& cursor);
    Result<bool> advance(const TopicPartition& at, Cursor& cursor);

    Env& env_;
    const std::string directory_;
    std::map<TopicPartition, std::unique_ptr<Cursor>> cursors_;
};

}  // namespace penstock
