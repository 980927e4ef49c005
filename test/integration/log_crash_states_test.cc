#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>

#include "penstock/log/file/file_log.h"
#include "test/integration/quiet_executor.h"
#include "test/integration/trace_files.h"
#include "test/kit/append_collector.h"

// Every state that a power cut can leave of some small workloads of the log: after each step, with
// none, all, each one of, all but one of, and some random subsets of what was not synced.
namespace penstock::crash {
namespace {

const TopicPartition kAt{TopicId("orders"), PartitionId(0)};
constexpr std::size_t kRandomSubsets = 24;

std::uint64_t seed() {
    const char* given = std::getenv("PENSTOCK_SEED");
    return given ? std::strtoull(given, nullptr, 10) : 20261121;
}

std::string value_of(std::uint64_t tag) {
    // 40 to 2,000 bytes, so batches of one to five sectors.
    return fmt::format("{:08}", tag) + std::string(32 + tag * 331 % 1960, 'x');
}

FileLogOptions options() {
    FileLogOptions options;
    options.directory = "/log";
    options.first_segment_bytes = 4096;
    options.segment_bytes = 8192;
    options.max_batch_bytes = 16 * 1024;
    return options;
}

/// Marks in the trace how many records were answered as durable; tags are the record's number.
class MarkingSink final : public AppendSink {
public:
    MarkingSink(TraceFiles& files, test::AppendCollector& collector)
        : files_(files), collector_(collector) {}
    void appended(std::span<const Appended> results) noexcept override {
        for (const Appended& result : results) {
            if (result.offset) durable_ = std::max(durable_, result.offset->value() + 1);
        }
        files_.mark(durable_);
        collector_.appended(results);
    }

private:
    TraceFiles& files_;
    test::AppendCollector& collector_;
    std::uint64_t durable_ = 0;
};

/// What a workload works with.
struct Bench {
    TraceFiles& files;
    Env& env;
    FileLog& log;
    AppendSink& sink;
    test::AppendCollector& collector;
    std::uint64_t next = 0;

    void append(std::size_t records) {
        std::vector<std::string> values;
        for (std::size_t i = 0; i < records; ++i) values.push_back(value_of(next + i));
        std::vector<Record> batch(records);
        for (std::size_t i = 0; i < records; ++i) batch[i].value = as_bytes(values[i]);
        log.append(kAt, batch, next, sink);
        next += records;
        ASSERT_TRUE(collector.wait_for(next));
    }
};

struct Workload {
    const char* name;
    std::function<void(Bench&)> run;
};

/// The disk before: an empty log with the topic, durable.
Image prepared() {
    TraceFiles files;
    Env env{system_env().clock, system_env().random, system_env().executor, files};
    auto log = FileLog::open(env, options());
    EXPECT_TRUE(log) << log.error().text;
    TopicSpec spec;
    spec.topic = kAt.topic;
    spec.retention_bytes = 0;
    EXPECT_TRUE((*log)->create(spec));
    log->reset();
    return files.image();
}

struct Recorded {
    std::vector<Step> steps;
    std::vector<std::uint32_t> prints;  ///< fingerprint of each record
};

Recorded record(const Image& before, const Workload& workload) {
    TraceFiles files(before);
    Env env{system_env().clock, system_env().random, system_env().executor, files};
    auto log = FileLog::open(env, options());
    EXPECT_TRUE(log) << log.error().text;
    test::AppendCollector collector(env);
    MarkingSink sink(files, collector);
    Bench bench{files, env, **log, sink, collector};
    const std::uint64_t there = (*log)->describe(kAt.topic)->at(0).partitions.at(0).end.value();
    Recorded recorded;
    const auto keep_prints = [&](Offset from) {
        const auto batch = (*log)->read(kAt, from, {1 << 20, 1 << 30});
        for (const Logged& record : (*batch)->records()) {
            recorded.prints.resize(record.offset.value());
            recorded.prints.push_back(fingerprint(record));
        }
    };
    if (there > 0) keep_prints(Offset(0));
    bench.next = 0;
    workload.run(bench);
    keep_prints((*log)->describe(kAt.topic)->at(0).partitions.at(0).start);
    log->reset();
    recorded.steps = files.steps();
    return recorded;
}

/// Opens what the cut left: nothing acknowledged is lost, nothing was made up.
class Judge {
public:
    Judge(const Recorded& recorded, std::uint64_t sent) : recorded_(recorded), sent_(sent) {}

    /// What is wrong, or nothing.
    std::string fault(Image image, std::uint64_t acked) {
        ++states_;
        TraceFiles files(std::move(image));
        Env env{system_env().clock, system_env().random, executor_, files};
        FileLogOptions with_store = options();
        if (acked > 0 && recorded_.prints[acked - 1] != 0) {
            with_store.applied[kAt] = {Offset(acked), recorded_.prints[acked - 1]};
        }
        auto log = FileLog::open(env, with_store);
        if (!log) return log.error().text;
        const auto topics = (*log)->describe(kAt.topic);
        if (!topics) return topics.error().text;
        const PartitionInfo info = topics->at(0).partitions.at(0);
        if (info.end.value() < acked || info.end.value() > sent_) {
            return fmt::format("it ends before {}; {} were answered and {} sent", info.end.value(),
                               acked, sent_);
        }
        if (auto wrong = wrong_record(**log, info); !wrong.empty()) return wrong;
        log->reset();
        return fault_of_second_start(files, env, info);
    }
    std::size_t states() const { return states_; }

private:
    static std::string wrong_record(FileLog& log, const PartitionInfo& info) {
        const auto batch = log.read(kAt, info.start, {1 << 20, 1 << 30});
        if (!batch) return batch.error().text;
        std::uint64_t next = info.start.value();
        for (const Logged& record : (*batch)->records()) {
            if (record.offset.value() != next || as_text(*record.value) != value_of(next)) {
                return fmt::format("there is another record at offset {}", next);
            }
            ++next;
        }
        return next == info.end.value() ? "" : fmt::format("it cannot be read from {} on", next);
    }
    /// It finds what the first one left, and changes nothing.
    static std::string fault_of_second_start(TraceFiles& files, Env& env,
                                             const PartitionInfo& first) {
        const Image mended = files.image();
        auto log = FileLog::open(env, options());
        if (!log) return "second start: " + log.error().text;
        const auto info = (*log)->describe(kAt.topic)->at(0).partitions.at(0);
        const bool same = info.start == first.start && info.end == first.end &&
                          files.image().files == mended.files;
        return same ? "" : "the second start found something else";
    }

    const Recorded& recorded_;
    const std::uint64_t sent_;
    QuietExecutor executor_;
    std::size_t states_ = 0;
};

/// The first fault among the states of one moment.
std::string sweep(const CrashPoint& point, std::mt19937_64& random, Judge& judge) {
    const std::size_t sectors = point.sectors_in_doubt();
    const std::size_t names = point.names_in_doubt();
    const auto always = [](bool value) { return [value](std::size_t) { return value; }; };
    std::string fault;
    const auto check = [&](auto&& sector, auto&& name) {
        if (fault.empty()) fault = judge.fault(point.image(sector, name), point.marked());
    };
    check(always(false), always(false));
    if (sectors + names == 0) return fault;
    check(always(true), always(true));
    check(always(true), always(false));
    check(always(false), always(true));
    for (std::size_t one = 0; one < sectors; ++one) {
        check([one](std::size_t i) { return i == one; }, always(true));
        check([one](std::size_t i) { return i != one; }, always(true));
    }
    for (std::size_t one = 0; one < names; ++one) {
        check(always(true), [one](std::size_t i) { return i != one; });
        check(always(true), [one](std::size_t i) { return i == one; });
    }
    for (std::size_t n = 0; n < kRandomSubsets; ++n) {
        const auto chance = [&random](std::size_t) { return (random() & 1) != 0; };
        check(chance, chance);
    }
    return fault;
}

/// The first fault after any of the steps.
std::string sweep_all(const Image& before, const std::vector<Step>& steps, Judge& judge) {
    std::mt19937_64 random(seed());
    CrashPoint point(before);
    std::string fault = sweep(point, random, judge);
    for (std::size_t i = 0; i < steps.size() && fault.empty(); ++i) {
        point.apply(steps[i]);
        fault = sweep(point, random, judge);
        if (!fault.empty()) fault += fmt::format(" (after step {} of {})", i + 1, steps.size());
    }
    return fault;
}

const Workload kOneByOne{"one by one, over several segments", [](Bench& bench) {
                             for (int i = 0; i < 14; ++i) bench.append(1);
                         }};
const Workload kPairs{"two at a time", [](Bench& bench) {
                          for (int i = 0; i < 6; ++i) bench.append(2);
                      }};
const Workload kManyAtOnce{"64 at once, batches larger than a segment", [](Bench& bench) {
                               bench.append(64);
                               bench.append(1);
                           }};
const Workload kGrowing{"batches of one to six", [](Bench& bench) {
                            for (std::size_t i = 1; i < 7; ++i) bench.append(i);
                        }};
const Workload kTrimmed{"trimmed between appends", [](Bench& bench) {
                            for (int i = 0; i < 9; ++i) bench.append(1);
                            const auto before = Offset(6);
                            ASSERT_TRUE(bench.log.trim(kAt, before, bench.env.clock.wall()));
                            for (int i = 0; i < 4; ++i) bench.append(1);
                        }};
const Workload kOtherTopics{"another topic made, grown and removed", [](Bench& bench) {
                                bench.append(1);
                                TopicSpec spec;
                                spec.topic = TopicId("other");
                                ASSERT_TRUE(bench.log.create(spec));
                                bench.append(1);
                                spec.partitions = 3;
                                ASSERT_TRUE(bench.log.alter(spec));
                                bench.append(1);
                                ASSERT_TRUE(bench.log.remove(spec.topic));
                                bench.append(1);
                            }};

class CrashStates : public testing::TestWithParam<Workload> {};

TEST_P(CrashStates, LoseNothingThatWasAnsweredAndMakeNothingUp) {
    SCOPED_TRACE(fmt::format("{}, PENSTOCK_SEED={}", GetParam().name, seed()));
    const Image before = prepared();
    const Recorded recorded = record(before, GetParam());
    Judge judge(recorded, recorded.prints.size());
    EXPECT_EQ(sweep_all(before, recorded.steps, judge), "");
    EXPECT_GT(judge.states(), 10 * recorded.steps.size());
}

INSTANTIATE_TEST_SUITE_P(Workloads, CrashStates,
                         testing::Values(kOneByOne, kPairs, kManyAtOnce, kGrowing, kTrimmed,
                                         kOtherTopics),
                         [](const auto& info) { return fmt::format("w{}", info.index); });

/// A disk that does not do what it says must be noticed: otherwise this whole file proves nothing.
TEST(CrashStates, AreFoundWantingWithoutSyncs) {
    const Image before = prepared();
    const Recorded recorded = record(before, kOneByOne);
    for (const Step::Kind left_out : {Step::Kind::sync, Step::Kind::sync_directory}) {
        std::vector<Step> steps = recorded.steps;
        std::erase_if(steps, [&](const Step& step) { return step.kind == left_out; });
        ASSERT_LT(steps.size(), recorded.steps.size());
        Judge judge(recorded, recorded.prints.size());
        EXPECT_NE(sweep_all(before, steps, judge), "");
    }
}

/// An answer before its sync.
TEST(CrashStates, AreFoundWantingWhenAnswersComeTooEarly) {
    const Image before = prepared();
    Recorded recorded = record(before, kOneByOne);
    for (std::size_t i = 1; i < recorded.steps.size(); ++i) {
        if (recorded.steps[i].kind != Step::Kind::mark) continue;
        std::size_t sync = i - 1;
        while (recorded.steps[sync].kind != Step::Kind::sync) --sync;
        std::swap(recorded.steps[i], recorded.steps[sync]);
    }
    Judge judge(recorded, recorded.prints.size());
    EXPECT_NE(sweep_all(before, recorded.steps, judge), "");
}

/// A torn last batch; then the power fails while the start mends it.
TEST(CrashStates, LeaveTheMendingOfATornTailAsGoodAsBefore) {
    Image torn;
    {
        const Image before = prepared();
        TraceFiles files(before);
        Env env{system_env().clock, system_env().random, system_env().executor, files};
        auto log = FileLog::open(env, options());
        ASSERT_TRUE(log);
        test::AppendCollector collector(env);
        MarkingSink sink(files, collector);
        Bench bench{files, env, **log, sink, collector};
        for (int i = 0; i < 7; ++i) bench.append(1);
        log->reset();
        torn = files.image();
    }
    std::size_t tried = 0;
    for (auto& [path, bytes] : torn.files) {
        if (!path.ends_with(".segment")) continue;
        const std::string good = bytes;
        // The last sector with something in it.
        const std::size_t content = good.find_last_not_of('\0');
        if (content < kSectorBytes) continue;  // no batch in it
        bytes.replace(content / kSectorBytes * kSectorBytes, kSectorBytes, kSectorBytes, '\0');
        TraceFiles files(torn);
        QuietExecutor quiet;
        Env env{system_env().clock, system_env().random, quiet, files};
        auto log = FileLog::open(env, options());
        if (log) {  // the last segment; another one is refused
            const auto end = (*log)->describe(kAt.topic)->at(0).partitions.at(0).end;
            EXPECT_EQ(end, Offset(6));
            Recorded recorded;
            recorded.prints.assign(7, 0);
            Judge judge(recorded, 6);
            EXPECT_EQ(sweep_all(torn, files.steps(), judge), "");
            ++tried;
        }
        bytes = good;
    }
    EXPECT_EQ(tried, 1u);
}

}  // namespace
}  // namespace penstock::crash
