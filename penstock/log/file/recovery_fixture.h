#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "penstock/base/env.h"
#include "penstock/log/file/file_log.h"
#include "penstock/log/file/recovery.h"
#include "test/kit/append_collector.h"

// Tests only: a small log in a temporary directory, and the tools to damage it.
namespace penstock::logfile {

inline const TopicPartition kAt{TopicId("orders"), PartitionId(0)};
inline constexpr std::uint64_t kSegmentBytes = 4096;

class Heard final : public FileLogObserver {
public:
    void cut(const TopicPartition&, std::size_t batches, std::uint64_t bytes) noexcept override {
        cut_batches += batches;
        cut_bytes += bytes;
    }
    void note(const std::string& text) noexcept override { notes.push_back(text); }

    std::size_t cut_batches = 0;
    std::uint64_t cut_bytes = 0;
    std::vector<std::string> notes;
};

/// A directory with a log of one batch per record, spread over several segments, and the tools to
/// damage it.
class LogOnDisk : public testing::Test {
protected:
    LogOnDisk() {
        std::string pattern = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        options_.directory = pattern;
        options_.first_segment_bytes = kSegmentBytes;
        options_.segment_bytes = kSegmentBytes;
        options_.observer = &heard_;
    }
    ~LogOnDisk() override { std::filesystem::remove_all(options_.directory); }

    Result<std::unique_ptr<FileLog>> open() { return FileLog::open(system_env(), options_); }

    static std::string value_of(std::uint64_t offset) {
        // One batch takes two sectors, the second is not all zeros.
        return fmt::format("{:08}", offset) + std::string(600, 'x');
    }
    static void append(FileLog& log, std::uint64_t offset) {
        const std::string value = value_of(offset);
        Record record;
        record.value = as_bytes(value);
        test::AppendCollector sink(system_env());
        log.append(kAt, {&record, 1}, offset, sink);
        const auto appended = sink.wait(1).at(offset);
        ASSERT_TRUE(appended) << appended.error().text;
    }
    /// Three batches of 1,024 bytes fit into a segment of 4,096.
    void make_log(std::uint64_t records) {
        auto log = open();
        ASSERT_TRUE(log) << log.error().text;
        TopicSpec spec;
        spec.topic = kAt.topic;
        ASSERT_TRUE((*log)->create(spec));
        for (std::uint64_t i = 0; i < records; ++i) append(**log, i);
    }
    std::filesystem::path partition() const {
        return std::filesystem::path(options_.directory) / "orders" / "0";
    }
    std::filesystem::path segment(std::uint64_t base) const {
        return partition() / segment_name(Offset(base));
    }

    static std::string content(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void put(const std::filesystem::path& path, std::uint64_t at, const std::string& bytes) {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(at));
        file << bytes;
    }
    static void zero(const std::filesystem::path& path, std::uint64_t at, std::size_t bytes) {
        put(path, at, std::string(bytes, '\0'));
    }
    static void flip(const std::filesystem::path& path, std::uint64_t at) {
        const char byte = content(path)[at];
        put(path, at, std::string(1, static_cast<char>(byte ^ 1)));
    }

    void expect_log(std::uint64_t records) {
        auto log = open();
        ASSERT_TRUE(log) << log.error().text;
        const auto batch = (*log)->read(kAt, Offset(0), {});
        ASSERT_TRUE(batch) << batch.error().text;
        ASSERT_EQ((*batch)->records().size(), records);
        for (std::uint64_t i = 0; i < records; ++i) {
            EXPECT_EQ(as_text(*(*batch)->records()[i].value), value_of(i));
        }
        append(**log, records);  // and it goes on
    }
    /// Refused with every text, twice the same, and nothing was touched.
    void expect_refused(const std::vector<std::string>& texts, Code code = Code::damaged) {
        const auto before = fingerprint_of_files();
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto log = open();
            ASSERT_FALSE(log);
            EXPECT_EQ(log.error().code, code) << log.error().text;
            for (const std::string& text : texts)
                EXPECT_THAT(log.error().text, testing::HasSubstr(text));
        }
        EXPECT_EQ(fingerprint_of_files(), before);
    }
    std::string fingerprint_of_files() const {
        std::vector<std::filesystem::path> paths;
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator(options_.directory)) {
            if (entry.is_regular_file() && entry.path().filename() != kSpareName) {
                paths.push_back(entry.path());
            }
        }
        std::sort(paths.begin(), paths.end());
        std::string all;
        for (const auto& path : paths) all += path.string() + content(path);
        return all;
    }
    std::uint32_t fingerprint_of(std::uint64_t offset) {
        auto log = open();
        EXPECT_TRUE(log) << log.error().text;
        const auto batch = (*log)->read(kAt, Offset(offset), {1, 1});
        EXPECT_TRUE(batch);
        return fingerprint((*batch)->records()[0]);
    }

    Heard heard_;
    FileLogOptions options_;
};

}  // namespace penstock::logfile
