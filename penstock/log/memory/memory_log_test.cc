#include "penstock/log/memory/memory_log.h"

#include <gtest/gtest.h>

#include "test/kit/append_collector.h"

namespace penstock {
namespace {

const TopicPartition kAt{TopicId("orders"), PartitionId(0)};

void create(Log& log) {
    TopicSpec spec;
    spec.topic = kAt.topic;
    ASSERT_TRUE(log.create(spec));
}

void append(Log& log, std::uint64_t tag, AppendSink& sink) {
    Record record;
    record.value = as_bytes("value");
    log.append(kAt, {&record, 1}, tag, sink);
}

Offset end_of(Log& log) {
    return log.describe(kAt.topic)->at(0).partitions.at(0).end;
}

TEST(MemoryLogDisk, KeepsWhatWasDurableBeforeTheCrash) {
    MemoryLogDisk disk;
    {
        test::AppendCollector sink(system_env());
        MemoryLog log(system_env(), disk);
        create(log);
        append(log, 0, sink);
        EXPECT_TRUE(sink.wait(1).at(0));
        disk.crash();
        append(log, 1, sink);
        const auto answers = sink.wait(2);
        ASSERT_FALSE(answers.at(1));
        EXPECT_EQ(answers.at(1).error().effect, Effect::unknown);
    }
    MemoryLog log(system_env(), disk);
    EXPECT_EQ(end_of(log), Offset(1));
    test::AppendCollector sink(system_env());
    append(log, 2, sink);
    EXPECT_EQ(*sink.wait(1).at(2), Offset(1));
}

TEST(MemoryLogDisk, ForgetsWhatWasStillBeingWrittenAtTheCrash) {
    MemoryLogDisk disk;
    test::AppendCollector sink(system_env());
    {
        MemoryLogOptions options;
        options.sync_time = std::chrono::hours(1);
        MemoryLog log(system_env(), disk, options);
        create(log);
        append(log, 0, sink);
        EXPECT_EQ(end_of(log), Offset(0));  // not durable, not seen
        disk.crash();
    }
    const auto answers = sink.wait(1);
    ASSERT_FALSE(answers.at(0));
    EXPECT_EQ(answers.at(0).error().effect, Effect::unknown);
    MemoryLog log(system_env(), disk);
    EXPECT_EQ(end_of(log), Offset(0));
}

}  // namespace
}  // namespace penstock
