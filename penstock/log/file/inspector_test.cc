#include "penstock/log/file/inspector.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "penstock/log/file/recovery_fixture.h"

namespace penstock::logfile {
namespace {

using testing::HasSubstr;

class Inspector : public LogOnDisk {
protected:
    PartitionReport inspect() {
        auto report = LogInspector(system_env(), options_.directory).inspect();
        EXPECT_TRUE(report) << report.error().text;
        sound_ = report->sound();
        return report->topics.at(0).partitions.at(0);
    }
    /// Salvages and opens the result: it must be a log with so many records.
    void expect_salvaged(std::uint64_t records) {
        const std::string into = options_.directory + "-salvaged";
        std::filesystem::remove_all(into);
        LogInspector inspector(system_env(), options_.directory);
        const auto before = fingerprint_of_files();
        ASSERT_TRUE(inspector.salvage(into, true));
        EXPECT_FALSE(std::filesystem::exists(into));
        const auto report = inspector.salvage(into, false);
        ASSERT_TRUE(report) << report.error().text;
        EXPECT_EQ(fingerprint_of_files(), before);
        EXPECT_EQ(inspector.salvage(into, false).error().code, Code::exists);
        const std::string damaged = std::exchange(options_.directory, into);
        expect_log(records);
        options_.directory = damaged;
        std::filesystem::remove_all(into);
    }

    bool sound_ = false;
};

TEST_F(Inspector, ListsSegmentsAndBatchesOfAGoodLog) {
    make_log(5);
    const auto partition = inspect();
    EXPECT_TRUE(sound_);
    EXPECT_EQ(partition.end, Offset(5));
    ASSERT_EQ(partition.segments.size(), 2u);
    EXPECT_EQ(partition.segments[0].end, Offset(3));
    EXPECT_EQ(partition.segments[0].batches, 3u);
    EXPECT_EQ(partition.segments[1].base, Offset(3));
    EXPECT_EQ(partition.segments[1].file_bytes, kSegmentBytes);
    EXPECT_EQ(partition.segments[1].used_bytes, 512u + 2 * 1024);
    std::vector<BatchReport> batches;
    LogInspector inspector(system_env(), options_.directory);
    ASSERT_TRUE(inspector.batches(partition.segments[1],
                                  [&](const BatchReport& batch) { batches.push_back(batch); }));
    ASSERT_EQ(batches.size(), 2u);
    EXPECT_EQ(batches[1].position, 512u + 1024);
    EXPECT_EQ(batches[1].base, Offset(4));
    EXPECT_EQ(batches[1].records, 1u);
}

TEST_F(Inspector, TellsATearFromDamage) {
    make_log(5);
    zero(segment(3), 512 + 1024 + 512, 512);
    auto partition = inspect();
    EXPECT_TRUE(sound_);
    EXPECT_EQ(partition.segments[1].torn_bytes, 512u);
    EXPECT_EQ(partition.end, Offset(4));
    flip(segment(3), 512 + 100);
    partition = inspect();
    EXPECT_FALSE(sound_);
    ASSERT_TRUE(partition.damage.has_value());
    EXPECT_THAT(partition.damage->text, HasSubstr("position 512"));
    EXPECT_EQ(partition.end, Offset(3));
}

TEST_F(Inspector, SalvagesWhatStandsBeforeTheDamage) {
    make_log(8);
    flip(segment(3), 512 + 1024 + 100);
    expect_salvaged(4);
}

TEST_F(Inspector, SalvagesUpToAGap) {
    make_log(8);
    std::filesystem::remove(segment(3));
    expect_salvaged(3);
}

TEST_F(Inspector, SalvagesUpToASegmentWithoutAGoodHeader) {
    make_log(8);
    flip(segment(3), 10);
    expect_salvaged(3);
    flip(segment(0), 10);
    expect_salvaged(0);
}

TEST_F(Inspector, ReportsATopicWhoseSettingsAreDamaged) {
    make_log(2);
    flip(std::filesystem::path(options_.directory) / "orders" / "topic.meta", 20);
    const auto report = LogInspector(system_env(), options_.directory).inspect();
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->sound());
    EXPECT_TRUE(report->topics.at(0).damage.has_value());
    EXPECT_EQ(LogInspector(system_env(), options_.directory + "/none").inspect().error().code,
              Code::not_found);
}

}  // namespace
}  // namespace penstock::logfile
