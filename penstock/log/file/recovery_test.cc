#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "penstock/base/checksum.h"
#include "penstock/log/file/recovery_fixture.h"

// Every row of the table in docs/formats.md, "What a start does", on real files.
namespace penstock::logfile {
namespace {

using testing::HasSubstr;

using Recovery = LogOnDisk;

TEST_F(Recovery, FindsACleanEndWhereOnlyZerosFollow) {
    make_log(4);
    expect_log(4);
    EXPECT_EQ(heard_.cut_batches, 0u);
    expect_log(5);
}

TEST_F(Recovery, CutsATornBatchThatMissesASectorAndKeepsACopy) {
    make_log(5);
    const std::string torn = content(segment(3)).substr(512 + 1024, 1024);
    zero(segment(3), 512 + 1024 + 512, 512);
    expect_log(4);
    EXPECT_EQ(heard_.cut_batches, 1u);
    EXPECT_EQ(heard_.cut_bytes, 512u);
    ASSERT_EQ(heard_.notes.size(), 1u);
    EXPECT_THAT(heard_.notes[0], HasSubstr("torn"));
    const auto copy = segment(3).string() + ".broken-0000000000000600";
    EXPECT_EQ(content(copy), torn.substr(0, 512));
    expect_log(5);
    EXPECT_EQ(heard_.cut_batches, 1u);
}

TEST_F(Recovery, CutsATornBatchWhoseHeaderIsMissing) {
    make_log(5);
    zero(segment(3), 512 + 1024, 512);
    expect_log(4);
    EXPECT_EQ(heard_.cut_bytes, 1024u);
}

TEST_F(Recovery, CutsATornBatchThatIsTheFirstOfItsSegment) {
    make_log(4);
    zero(segment(3), 512, 512);
    expect_log(3);
    EXPECT_EQ(heard_.cut_bytes, 1024u);
}

TEST_F(Recovery, CutsATornBatchInWhichMoreSectorsAreZeroThanWereWritten) {
    {
        auto log = open();
        ASSERT_TRUE(log);
        TopicSpec spec;
        spec.topic = kAt.topic;
        ASSERT_TRUE((*log)->create(spec));
        append(**log, 0);
        const std::string zeros(1200, '\0');  // one whole sector of it at least
        Record record;
        record.value = as_bytes(zeros);
        test::AppendCollector sink(system_env());
        (*log)->append(kAt, {&record, 1}, 0, sink);
        ASSERT_TRUE(sink.wait(1).at(0));
    }
    // A flipped bit among its zeros is damage: no sector is missing.
    flip(segment(0), 512 + 1024 + 700);
    expect_refused({"no sector of it is missing"});
    flip(segment(0), 512 + 1024 + 700);
    // The last sector, with the padding, is missing: torn.
    zero(segment(0), 512 + 1024 + 1024, 512);
    expect_log(1);
    EXPECT_EQ(heard_.cut_batches, 1u);
}

TEST_F(Recovery, RefusesToCutWhatTheStoreHasApplied) {
    make_log(5);
    options_.applied[kAt] = {Offset(5), fingerprint_of(4)};
    zero(segment(3), 512 + 1024 + 512, 512);
    expect_refused({"went back in time", "before offset 4", "below 5"});
}

TEST_F(Recovery, RefusesADamagedLastBatchOfWhichNothingIsMissing) {
    make_log(5);
    flip(segment(3), 512 + 1024 + 100);
    expect_refused({segment(3).string(), "position 1536", "1024 bytes", "salvage"});
}

TEST_F(Recovery, RefusesADamagedHeaderOfTheLastBatch) {
    make_log(5);
    flip(segment(3), 512 + 1024 + 20);
    expect_refused({segment(3).string(), "position 1536"});
}

TEST_F(Recovery, RefusesABadBatchFollowedByAGoodOne) {
    make_log(6);
    flip(segment(3), 512 + 1024 + 100);
    expect_refused({"position 1536", "more follows it"});
    flip(segment(3), 512 + 1024 + 100);
    zero(segment(3), 512 + 1024, 512);
    expect_refused({"position 1536", "a good batch follows"});
}

TEST_F(Recovery, RefusesATearInASegmentThatIsNotTheLast) {
    make_log(5);
    zero(segment(0), 512 + 2 * 1024 + 512, 512);
    expect_refused({segment(0).string(), "position 2560", "another segment follows"});
}

TEST_F(Recovery, RefusesAMissingLastBatchInASegmentThatIsNotTheLast) {
    make_log(5);
    zero(segment(0), 512 + 2 * 1024, 1024);
    expect_refused({"gap between segments", "before offset 2", "begins with 3"});
}

TEST_F(Recovery, RefusesABatchThatStandsInAnothersPlace) {
    make_log(6);
    const std::string good = content(segment(3));
    // The first batch once more where the second was.
    put(segment(3), 512 + 1024, good.substr(512, 1024));
    expect_refused({"begins with offset 3 where 4 is next"});
    // From another segment: its checksum does not fit here.
    put(segment(3), 512 + 1024, content(segment(0)).substr(512 + 1024, 1024));
    expect_refused({"position 1536"});
}

TEST_F(Recovery, RefusesSegmentsThatWereExchangedOrCopied) {
    make_log(8);
    const auto first = content(segment(0));
    const auto second = content(segment(3));
    put(segment(0), 0, second);
    put(segment(3), 0, first);
    expect_refused({"its name says otherwise"});
    put(segment(0), 0, first);
    put(segment(3), 0, second);
    std::filesystem::copy_file(segment(6), segment(7));
    expect_refused({"its name says otherwise"});
    std::filesystem::remove(segment(7));
    expect_log(8);
}

TEST_F(Recovery, RefusesASegmentOfAnotherLife) {
    make_log(5);
    const auto old = content(segment(3));
    std::filesystem::remove_all(std::filesystem::path(options_.directory) / "orders");
    make_log(5);
    put(segment(3), 0, old);
    expect_refused({"it belongs to partition 0 of topic orders with uuid"});
}

TEST_F(Recovery, RefusesAMissingSegment) {
    make_log(8);
    std::filesystem::rename(segment(3), partition() / "kept");
    expect_refused({"gap between segments"});
    std::filesystem::rename(partition() / "kept", segment(3));
    std::filesystem::rename(segment(0), partition() / "kept");
    expect_refused({"begins with offset 3, not with 0", "one is missing"});
    std::filesystem::rename(partition() / "kept", segment(0));
    for (const std::uint64_t base : {0, 3, 6}) std::filesystem::remove(segment(base));
    expect_refused({"there is no segment"});
}

TEST_F(Recovery, RefusesALastSegmentThatIsGoneWhereTheStoreKnowsBetter) {
    make_log(8);
    options_.applied[kAt] = {Offset(8), fingerprint_of(7)};
    std::filesystem::remove(segment(6));
    expect_refused({"went back in time", "before offset 6", "below 8"});
}

TEST_F(Recovery, RefusesAFileThatWasCutAnywhere) {
    make_log(5);
    const auto whole = content(segment(3));
    for (std::uint64_t bytes = 0; bytes < kSegmentBytes; bytes += 100) {
        std::filesystem::resize_file(segment(3), bytes);
        expect_refused({segment(3).string()});
    }
    std::filesystem::resize_file(segment(3), kSegmentBytes);
    put(segment(3), 0, whole);
    expect_log(5);
}

TEST_F(Recovery, RefusesAnotherHistoryThanTheStoreApplied) {
    make_log(5);
    const std::uint32_t print = fingerprint_of(2);
    options_.applied[kAt] = {Offset(3), print};
    expect_log(5);
    options_.applied[kAt] = {Offset(3), print + 1};
    expect_refused({"history diverged", "offset 2"});
    options_.applied[kAt] = {Offset(7), print};
    expect_refused({"went back in time", "before offset 6", "below 7"});
}

TEST_F(Recovery, RefusesALogThatBeginsAboveWhatTheStoreNeeds) {
    make_log(8);
    {
        auto log = open();
        ASSERT_TRUE(log);
        TopicSpec spec;
        spec.topic = kAt.topic;
        spec.retention_time = std::chrono::hours(1);
        ASSERT_TRUE((*log)->alter(spec));
        const auto later = system_env().clock.wall() + std::chrono::hours(2);
        ASSERT_EQ(*(*log)->trim(kAt, Offset(5), later), Offset(3));
    }
    EXPECT_FALSE(std::filesystem::exists(segment(0)));
    options_.applied[kAt] = {Offset(2), 0};
    expect_refused({"begins with offset 3", "from 2 on"});
    options_.applied[kAt] = {Offset(3), 0};  // the record below is gone: nothing to compare
    EXPECT_TRUE(open());
}

TEST_F(Recovery, FinishesATrimThatWasInterrupted) {
    make_log(8);
    const auto first = content(segment(0));
    {
        auto log = open();
        ASSERT_TRUE(log);
        TopicSpec spec;
        spec.topic = kAt.topic;
        spec.retention_bytes = 0;
        ASSERT_TRUE((*log)->alter(spec));
        ASSERT_EQ(*(*log)->trim(kAt, Offset(8), log_time(0)), Offset(6));
    }
    std::ofstream(segment(0), std::ios::binary) << first;
    auto log = open();
    ASSERT_TRUE(log) << log.error().text;
    EXPECT_FALSE(std::filesystem::exists(segment(0)));
    EXPECT_EQ((*log)->describe(kAt.topic)->at(0).partitions.at(0).start, Offset(6));
}

TEST_F(Recovery, DeletesASpareAndKeepsOneThatHoldsSomething) {
    make_log(2);
    std::ofstream(partition() / kSpareName, std::ios::binary) << std::string(kSegmentBytes, '\0');
    expect_log(2);
    EXPECT_TRUE(heard_.notes.empty());
    std::ofstream(partition() / kSpareName, std::ios::binary) << content(segment(0));
    expect_log(3);
    ASSERT_EQ(heard_.notes.size(), 1u);
    EXPECT_THAT(heard_.notes[0], HasSubstr("spare.aside-0"));
    EXPECT_TRUE(std::filesystem::exists(partition() / "spare.aside-0"));
}

TEST_F(Recovery, RefusesADirectoryThatLostATopicOfTheStore) {
    make_log(2);
    options_.applied[{TopicId("sale"), PartitionId(0)}] = {Offset(1), 0};
    expect_refused({"sale/0", "no such partition"});
    options_.applied.clear();
    options_.applied[{TopicId("sale"), PartitionId(0)}] = {Offset(0), 0};
    expect_log(2);
}

TEST_F(Recovery, RefusesADamagedOrMissingTopicMeta) {
    make_log(2);
    const auto meta = std::filesystem::path(options_.directory) / "orders" / "topic.meta";
    const std::string good = content(meta);
    for (std::size_t i = 0; i < good.size(); ++i) {
        flip(meta, i);
        expect_refused({"topic.meta"});
        flip(meta, i);
    }
    std::filesystem::remove(meta);
    expect_refused({"topic.meta"});
}

TEST_F(Recovery, RefusesANewerFormat) {
    make_log(2);
    std::string sector = content(segment(0)).substr(0, kSegmentHeaderBytes);
    sector[4] = 2;
    const std::uint32_t crc = crc32c(as_bytes(sector).first(508));
    std::memcpy(sector.data() + 508, &crc, sizeof crc);
    put(segment(0), 0, sector);
    expect_refused({"format version 2"}, Code::too_new);
}

TEST_F(Recovery, ForgetsTopicsThatWereBeingMadeOrRemoved) {
    make_log(2);
    const std::filesystem::path root(options_.directory);
    std::filesystem::copy(root / "orders", root / "~new-sale",
                          std::filesystem::copy_options::recursive);
    std::filesystem::copy(root / "orders", root / "~removed-1",
                          std::filesystem::copy_options::recursive);
    std::ofstream(root / "LOCK") << "not a directory";
    expect_log(2);
    EXPECT_FALSE(std::filesystem::exists(root / "~new-sale"));
    EXPECT_FALSE(std::filesystem::exists(root / "~removed-1"));
}

}  // namespace
}  // namespace penstock::logfile
