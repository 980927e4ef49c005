#include "penstock/log/file/file_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "penstock/base/guarded.h"
#include "penstock/log/file/faulty_files.h"
#include "penstock/log/file/recovery_fixture.h"
#include "test/kit/append_collector.h"

// The running log on real files that fail.
namespace penstock::logfile {
namespace {

using test::AppendCollector;
using testing::HasSubstr;

class Watching final : public FileLogObserver {
public:
    Watching() : wake_(system_env().executor.make_wake()) {}
    void synced(std::size_t records, std::size_t, std::chrono::nanoseconds) noexcept override {
        const MutexLock lock(mutex_);
        batches_.push_back(records);
    }
    void scrubbed(std::uint64_t bytes) noexcept override {
        scrubbed_ += bytes;
        wake_->notify();
    }
    void partition_stopped(const TopicPartition&, const Error&) noexcept override {
        stopped_ = true;
        wake_->notify();
    }
    std::vector<std::size_t> batches() {
        const MutexLock lock(mutex_);
        return batches_;
    }
    void wait_until_stopped() {
        while (!stopped_) wake_->wait_until(kNever);
    }
    void wait_until_scrubbed() {
        while (scrubbed_ == 0) wake_->wait_until(kNever);
    }

private:
    const std::unique_ptr<Wake> wake_;
    Mutex mutex_;
    std::vector<std::size_t> batches_ GUARDED_BY(mutex_);
    std::atomic<std::uint64_t> scrubbed_ = 0;
    std::atomic<bool> stopped_ = false;
};

class RunningLog : public LogOnDisk {
protected:
    RunningLog() { options_.observer = &watching_; }

    void create_topic() {
        auto log = open();
        ASSERT_TRUE(log) << log.error().text;
        TopicSpec spec;
        spec.topic = kAt.topic;
        ASSERT_TRUE((*log)->create(spec));
    }
    Result<std::unique_ptr<FileLog>> open_on(FileSystem& files) {
        env_.emplace(Env{system_env().clock, system_env().random, system_env().executor, files});
        return FileLog::open(*env_, options_);
    }
    static void append(FileLog& log, std::uint64_t tag, std::string_view value, AppendSink& sink) {
        Record record;
        record.value = as_bytes(value);
        log.append(kAt, {&record, 1}, tag, sink);
    }
    Watching watching_;
    std::optional<Env> env_;
};

/// A fault at the k-th operation of a kind, once or from then on.
struct Fault {
    FileOp op;
    std::uint64_t at;
    bool for_ever;
};

class FaultSweep : public RunningLog {
protected:
    static constexpr std::uint64_t kAppends = 8;

    /// Appends one after the other and checks what a restart finds. False: the fault was not met.
    bool run(const Fault& fault) {
        std::filesystem::remove_all(std::filesystem::path(options_.directory) / "orders");
        create_topic();
        std::atomic<std::uint64_t> seen = 0;
        std::atomic<bool> met = false;
        std::atomic<int> fatal = 0;
        options_.on_fatal = [&](const Error&) { ++fatal; };
        FaultyFiles files(system_env().files,
                          [&](FileOp op, const std::string& path) -> std::optional<Error> {
                              if (op != fault.op) return {};
                              const std::uint64_t now = ++seen;
                              if (now < fault.at || (now > fault.at && !fault.for_ever)) return {};
                              met = true;
                              return error(Code::io, "injected: " + path);
                          });
        std::map<std::uint64_t, Result<Offset>> answers;
        {
            auto log = open_on(files);
            EXPECT_TRUE(log);
            AppendCollector sink(system_env());
            for (std::uint64_t i = 0; i < kAppends; ++i) {
                append(**log, i, value_of(i), sink);
                answers = sink.wait(i + 1);
            }
        }
        options_.on_fatal = nullptr;
        EXPECT_EQ(fatal > 0, met);
        check(answers, met);
        return met;
    }

    void check(const std::map<std::uint64_t, Result<Offset>>& answers, bool died) {
        bool failed = false;
        std::uint64_t acked = 0;
        std::uint64_t possible = 0;
        for (const auto& [tag, answer] : answers) {
            if (answer) {
                EXPECT_FALSE(failed) << "an answer of success after the first failure";
                ++acked;
                ++possible;
            } else {
                failed = true;
                if (answer.error().effect == Effect::unknown) ++possible;
            }
        }
        EXPECT_TRUE(died || !failed);
        EXPECT_LE(possible, acked + 1);
        auto log = open();
        ASSERT_TRUE(log) << log.error().text;
        const auto batch = (*log)->read(kAt, Offset(0), {});
        ASSERT_TRUE(batch);
        const auto records = (*batch)->records();
        EXPECT_GE(records.size(), acked);
        EXPECT_LE(records.size(), possible);
        for (const Logged& record : records) {
            EXPECT_EQ(as_text(*record.value), value_of(record.offset.value()));
        }
    }
};

TEST_F(FaultSweep, NothingIsAnsweredAfterAFailedSync) {
    for (const bool for_ever : {false, true}) {
        std::uint64_t met = 0;
        for (std::uint64_t k = 1; run({FileOp::sync, k, for_ever}); ++k) ++met;
        EXPECT_GE(met, kAppends);
    }
}

TEST_F(FaultSweep, NothingIsAnsweredAfterAFailedWrite) {
    for (const bool for_ever : {false, true}) {
        std::uint64_t met = 0;
        for (std::uint64_t k = 1; run({FileOp::write, k, for_ever}); ++k) ++met;
        EXPECT_GE(met, kAppends);
    }
}

TEST_F(FaultSweep, NothingIsAnsweredAfterAFailedRoll) {
    std::uint64_t met = 0;
    for (std::uint64_t k = 1; run({FileOp::rename, k, true}); ++k) ++met;
    EXPECT_GE(met, 2u);
    met = 0;
    for (std::uint64_t k = 1; run({FileOp::sync_directory, k, false}); ++k) ++met;
    EXPECT_GE(met, 2u);
}

TEST_F(RunningLog, MakesOneBatchOfWhatArrivesDuringASync) {
    create_topic();
    options_.segment_bytes = options_.first_segment_bytes = 1 << 20;
    const auto held = system_env().executor.make_wake();
    std::atomic<bool> hold = false;
    std::atomic<bool> holding = false;
    const auto held_now = system_env().executor.make_wake();
    FaultyFiles files(system_env().files,
                      [&](FileOp op, const std::string&) -> std::optional<Error> {
                          if (op == FileOp::sync && hold.exchange(false)) {
                              holding = true;
                              held_now->notify();
                              held->wait_until(kNever);
                          }
                          return {};
                      });
    auto log = open_on(files);
    ASSERT_TRUE(log);
    AppendCollector sink(system_env());
    hold = true;
    append(**log, 0, "first", sink);
    while (!holding) held_now->wait_until(kNever);
    for (std::uint64_t i = 1; i < 4; ++i) append(**log, i, "small", sink);
    // Not durable: not seen by anybody.
    EXPECT_EQ((*log)->describe(kAt.topic)->at(0).partitions[0].end, Offset(0));
    EXPECT_TRUE((*(*log)->read(kAt, Offset(0), {}))->records().empty());
    held->notify();
    sink.wait(4);
    EXPECT_EQ(watching_.batches(), (std::vector<std::size_t>{1, 3}));
}

TEST_F(RunningLog, BoundsBatchesAndQueueInRecordsToo) {
    create_topic();
    options_.max_batch_records = 10;
    options_.max_pending_records = 25;
    auto log = open();
    ASSERT_TRUE(log);
    AppendCollector sink(system_env());
    Record record;
    record.value = as_bytes("v");
    const std::vector<Record> records(100, record);
    (*log)->append(kAt, records, 0,
                   sink);  // under one lock: the queue fills before the writer looks
    std::size_t durable = 0;
    for (const auto& [tag, answer] : sink.wait(100)) {
        EXPECT_EQ(answer.ok(), tag < 25);
        if (answer) {
            ++durable;
        } else {
            EXPECT_EQ(answer.error().code, Code::overloaded);
        }
    }
    EXPECT_EQ(durable, 25u);
    EXPECT_EQ(watching_.batches(), (std::vector<std::size_t>{10, 10, 5}));
}

TEST_F(RunningLog, AnswersNoSpaceAndRecoversByItself) {
    create_topic();
    std::atomic<bool> full = true;
    FaultyFiles files(system_env().files,
                      [&](FileOp op, const std::string& path) -> std::optional<Error> {
                          const bool spare = path.ends_with(kSpareName);
                          if (full && op == FileOp::write && spare) {
                              return error(Code::no_space, "injected: no space");
                          }
                          return {};
                      });
    options_.on_fatal = [](const Error& why) { ADD_FAILURE() << why.text; };
    auto log = open_on(files);
    ASSERT_TRUE(log);
    AppendCollector sink(system_env());
    // Three batches fit into the segment that is there.
    std::uint64_t tag = 0;
    for (; tag < 3; ++tag) {
        append(**log, tag, value_of(tag), sink);
        const auto answers = sink.wait(tag + 1);
        EXPECT_TRUE(answers.at(tag)) << answers.at(tag).error().text;
    }
    for (; tag < 6; ++tag) {
        append(**log, tag, value_of(tag), sink);
        const auto answers = sink.wait(tag + 1);
        ASSERT_FALSE(answers.at(tag));
        EXPECT_EQ(answers.at(tag).error().code, Code::no_space);
        EXPECT_EQ(answers.at(tag).error().effect, Effect::none);
    }
    EXPECT_FALSE((*log)->describe(kAt.topic)->at(0).partitions[0].stopped.has_value());
    EXPECT_EQ((*(*log)->read(kAt, Offset(0), {}))->records().size(), 3u);
    full = false;
    for (;;) {  // until the next attempt to make room
        append(**log, tag, value_of(3), sink);
        const auto answers = sink.wait(tag + 1);
        if (answers.at(tag++)) break;
    }
    log->reset();
    expect_log(4);
}

TEST_F(RunningLog, AnswersNoSpaceBeforeTheDiskIsFull) {
    create_topic();
    FaultyFiles files(system_env().files,
                      [&](FileOp op, const std::string&) -> std::optional<Error> {
                          if (op == FileOp::free_bytes) return error(Code::no_space, "injected");
                          return {};
                      });
    auto log = open_on(files);
    ASSERT_TRUE(log);
    AppendCollector sink(system_env());
    std::uint64_t durable = 0;
    for (std::uint64_t tag = 0; tag < 5; ++tag) {
        append(**log, tag, value_of(tag), sink);
        const auto answers = sink.wait(tag + 1);
        if (answers.at(tag)) {
            ++durable;
        } else {
            EXPECT_EQ(answers.at(tag).error().code, Code::no_space);
        }
    }
    EXPECT_EQ(durable, 3u);
    log->reset();
    expect_log(durable);
}

TEST_F(RunningLog, StopsAPartitionWhoseOldBatchesAreDamagedWhenTheyAreRead) {
    make_log(8);
    auto log = open();
    ASSERT_TRUE(log);
    flip(segment(0), 512 + 1024 + 100);
    const auto subscription = (*log)->subscribe({"g", {kAt}});
    ASSERT_TRUE((*subscription)->poll({}, kNever));
    ASSERT_TRUE((*subscription)->start(kAt, Offset(0)));
    auto polled = (*subscription)->poll({}, kNever);
    ASSERT_TRUE(polled);  // what stands before the damage
    ASSERT_EQ(polled->slices.size(), 1u);
    EXPECT_EQ(polled->slices[0].records.size(), 1u);
    polled = (*subscription)->poll({}, kNever);
    ASSERT_FALSE(polled);
    EXPECT_EQ(polled.error().code, Code::damaged);
    const auto info = (*log)->describe(kAt.topic)->at(0).partitions.at(0);
    ASSERT_TRUE(info.stopped.has_value());
    EXPECT_THAT(info.stopped->text, HasSubstr(segment(0).string()));
    EXPECT_THAT(info.stopped->text, HasSubstr("offset 1"));
    AppendCollector sink(system_env());
    append(**log, 0, "refused", sink);
    const auto answers = sink.wait(1);
    EXPECT_EQ(answers.at(0).error().code, Code::damaged);
    EXPECT_EQ(answers.at(0).error().effect, Effect::none);
}

TEST_F(RunningLog, FindsDamageInClosedSegmentsByReadingThemAgain) {
    make_log(8);
    options_.scrub_bytes_per_s = 1 << 30;
    options_.scrub_pause = std::chrono::milliseconds(1);
    auto log = open();
    ASSERT_TRUE(log);
    watching_.wait_until_scrubbed();
    EXPECT_FALSE((*log)->describe(kAt.topic)->at(0).partitions.at(0).stopped.has_value());
    flip(segment(3), 512 + 100);
    watching_.wait_until_stopped();
    const auto info = (*log)->describe(kAt.topic)->at(0).partitions.at(0);
    ASSERT_TRUE(info.stopped.has_value());
    EXPECT_THAT(info.stopped->text, HasSubstr(segment(3).string()));
}

}  // namespace
}  // namespace penstock::logfile
