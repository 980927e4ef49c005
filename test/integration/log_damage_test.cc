#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>

#include "penstock/log/file/file_log.h"
#include "test/integration/quiet_executor.h"
#include "test/integration/trace_files.h"
#include "test/kit/append_collector.h"

// A log of two segments, damaged in every single bit and in random larger ways: each start is
// refused, or finds exactly what was there. Never something else, never less.
namespace penstock::crash {
namespace {

const TopicPartition kAt{TopicId("orders"), PartitionId(0)};
constexpr std::uint64_t kSegmentBytes = 16 * 1024;
constexpr std::size_t kRandomDamages = 20'000;

std::uint64_t seed() {
    const char* given = std::getenv("PENSTOCK_SEED");
    return given ? std::strtoull(given, nullptr, 10) : 20261121;
}

std::string value_of(std::uint64_t tag) {
    // With stretches of zeros, so that whole sectors of them are content.
    const std::size_t zeros = tag % 3 == 0 ? 1200 : 0;
    return fmt::format("{:08}", tag) + std::string(zeros, '\0') + std::string(tag * 131 % 700, 'x');
}

class DamagedLog : public testing::Test {
protected:
    DamagedLog() {
        options_.directory = "/log";
        options_.first_segment_bytes = options_.segment_bytes = kSegmentBytes;
        make();
    }

    void make() {
        TraceFiles files;
        Env env{system_env().clock, system_env().random, system_env().executor, files};
        auto log = FileLog::open(env, options_);
        ASSERT_TRUE(log) << log.error().text;
        TopicSpec spec;
        spec.topic = kAt.topic;
        ASSERT_TRUE((*log)->create(spec));
        test::AppendCollector collector(env);
        while (true) {
            const std::string value = value_of(records_);
            Record record;
            record.value = as_bytes(value);
            (*log)->append(kAt, {&record, 1}, records_, collector);
            ASSERT_TRUE(collector.wait_for(++records_));
            const std::string path = segment_path(1, files);
            // Until the second segment is about half full.
            if (!path.empty() && records_ > first_of_second_ + 8) break;
            if (path.empty()) first_of_second_ = records_;
        }
        const auto last = (*log)->read(kAt, Offset(records_ - 1), {});
        print_ = fingerprint((*last)->records()[0]);
        log->reset();
        good_ = files.image();
        std::erase_if(good_.files, [](const auto& file) { return file.first.ends_with(".tmp"); });
        for (const auto& [path, bytes] : good_.files) {
            if (path.ends_with(".segment")) segments_.push_back(path);
        }
        ASSERT_EQ(segments_.size(), 2u);
        damaged_ = std::make_unique<TraceFiles>(good_);
    }
    static std::string segment_path(std::size_t index, TraceFiles& files) {
        std::vector<std::string> paths;
        for (const auto& [path, bytes] : files.image().files) {
            if (path.ends_with(".segment")) paths.push_back(path);
        }
        return index < paths.size() ? paths[index] : "";
    }

    enum class Found { refused, same, less, other };
    Found start() {
        Env env{system_env().clock, system_env().random, executor_, *damaged_};
        auto log = FileLog::open(env, options_);
        if (!log) {
            EXPECT_EQ(log.error().code == Code::damaged || log.error().code == Code::too_new, true)
                << log.error().text;
            return Found::refused;
        }
        const auto batch = (*log)->read(kAt, Offset(0), {1 << 20, 1 << 30});
        if (!batch) return Found::other;
        std::uint64_t next = 0;
        for (const Logged& record : (*batch)->records()) {
            if (record.offset.value() != next || as_text(*record.value) != value_of(next)) {
                return Found::other;
            }
            ++next;
        }
        return next == records_ ? Found::same : Found::less;
    }
    /// Puts the good files back if the start changed something.
    void restore() {
        if (!damaged_->steps().empty()) damaged_ = std::make_unique<TraceFiles>(good_);
    }
    void with_store() { options_.applied[kAt] = {Offset(records_), print_}; }

    FileLogOptions options_;
    QuietExecutor executor_;
    Image good_;
    std::vector<std::string> segments_;
    std::unique_ptr<TraceFiles> damaged_;
    std::uint64_t records_ = 0;
    std::uint64_t first_of_second_ = 0;
    std::uint32_t print_ = 0;
};

TEST_F(DamagedLog, IsRefusedOrTheSameForEveryFlippedBit) {
    ASSERT_EQ(start(), Found::same);
    std::size_t refused = 0;
    std::size_t same = 0;
    for (const auto& [path, bytes] : good_.files) {
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            const auto flip = [bit](std::string& content) {
                content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << bit % 8));
            };
            damaged_->damage(path, flip);
            const Found found = start();
            if (found == Found::refused) ++refused;
            if (found == Found::same) ++same;
            ASSERT_TRUE(found == Found::refused || found == Found::same)
                << path << ", bit " << bit << ": " << static_cast<int>(found);
            if (damaged_->steps().empty()) {
                damaged_->damage(path, flip);
            } else {
                restore();
            }
        }
    }
    EXPECT_GT(refused, kSegmentBytes * 8);
    EXPECT_GT(same, 0u);  // beyond the end, where nothing was
}

TEST_F(DamagedLog, IsRefusedOrTheSameForRandomDamageThatTheStoreOutlived) {
    with_store();
    SCOPED_TRACE(fmt::format("PENSTOCK_SEED={}", seed()));
    std::mt19937_64 random(seed());
    std::size_t refused = 0;
    for (std::size_t n = 0; n < kRandomDamages; ++n) {
        const std::string& path = segments_[random() % 2];
        const std::size_t one = random() % (kSegmentBytes / kSectorBytes) * kSectorBytes;
        const std::size_t other = random() % (kSegmentBytes / kSectorBytes) * kSectorBytes;
        const auto change = [&](std::string& bytes) {
            const std::string from = bytes.substr(one, kSectorBytes);
            const std::string to = bytes.substr(other, kSectorBytes);
            const std::string elsewhere =
                good_.files.at(segments_[random() % 2]).substr(other, kSectorBytes);
            switch (random() % 5) {
                case 0:
                    bytes.replace(one, kSectorBytes, to);
                    [[fallthrough]];
                case 1:
                    bytes.replace(other, kSectorBytes, from);
                    break;
                case 2:
                    bytes.replace(one, kSectorBytes, kSectorBytes, '\0');
                    break;
                case 3:
                    bytes.replace(one, kSectorBytes, elsewhere);
                    break;
                case 4:
                    bytes.resize(random() % bytes.size());
                    break;
            }
        };
        damaged_->damage(path, change);
        const Found found = start();
        if (found == Found::refused) ++refused;
        ASSERT_TRUE(found == Found::refused || found == Found::same) << static_cast<int>(found);
        damaged_->damage(path, [&](std::string& bytes) { bytes = good_.files.at(path); });
        restore();
    }
    EXPECT_GT(refused, kRandomDamages / 2);
}

TEST_F(DamagedLog, LosesAtMostItsLastBatchToAZeroedSectorWhereTheStoreKnowsNothing) {
    for (const std::string& path : segments_) {
        for (std::size_t at = 0; at < kSegmentBytes; at += kSectorBytes) {
            damaged_->damage(path, [at](std::string& bytes) {
                bytes.replace(at, kSectorBytes, kSectorBytes, '\0');
            });
            const Found found = start();
            EXPECT_NE(found, Found::other) << path << " " << at;
            EXPECT_TRUE(found != Found::less || path == segments_[1]);
            damaged_ = std::make_unique<TraceFiles>(good_);
        }
    }
}

TEST_F(DamagedLog, IsRefusedWhenASegmentIsOfYesterday) {
    with_store();
    Image yesterday = good_;
    {
        TraceFiles files(good_);
        Env env{system_env().clock, system_env().random, system_env().executor, files};
        FileLogOptions options = options_;
        auto log = FileLog::open(env, options);
        ASSERT_TRUE(log);
        test::AppendCollector collector(env);
        Record record;
        record.value = as_bytes("today");
        (*log)->append(kAt, {&record, 1}, 0, collector);
        ASSERT_TRUE(collector.wait_for(1));
        const auto last = (*log)->read(kAt, Offset(records_), {});
        options_.applied[kAt] = {Offset(records_ + 1), fingerprint((*last)->records()[0])};
    }
    damaged_ = std::make_unique<TraceFiles>(yesterday);
    EXPECT_EQ(start(), Found::refused);
}

}  // namespace
}  // namespace penstock::crash
