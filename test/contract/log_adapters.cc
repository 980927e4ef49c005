#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "penstock/log/file/file_log.h"
#include "penstock/log/memory/memory_log.h"
#include "test/contract/log_contract.h"

namespace penstock::contract {
namespace {

class MemoryFixture final : public LogFixture {
public:
    explicit MemoryFixture(std::size_t max_pending_bytes) {
        options_.max_pending_bytes = max_pending_bytes;
        options_.segment_records = 100;
        reopen();
    }
    Env& env() override { return system_env(); }
    Log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        log_ = std::make_unique<MemoryLog>(env(), disk_, options_);
    }

private:
    MemoryLogDisk disk_;
    MemoryLogOptions options_;
    std::unique_ptr<MemoryLog> log_;
};

class FileFixture final : public LogFixture {
public:
    explicit FileFixture(std::size_t max_pending_bytes) {
        std::string pattern = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
        options_.directory = pattern;
        options_.first_segment_bytes = 8 * 1024;
        options_.segment_bytes = 16 * 1024;
        options_.cache_bytes = 16 * 1024;
        options_.max_pending_bytes = max_pending_bytes;
        reopen();
    }
    ~FileFixture() override {
        log_.reset();
        std::filesystem::remove_all(options_.directory);
    }
    Env& env() override { return system_env(); }
    Log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        auto opened = FileLog::open(env(), options_);
        ASSERT_TRUE(opened) << opened.error().text;
        log_ = std::move(*opened);
    }

private:
    FileLogOptions options_;
    std::unique_ptr<FileLog> log_;
};

template <class Fixture>
LogAdapter adapter(std::string name) {
    return {std::move(name), [](std::size_t max_pending_bytes) -> std::unique_ptr<LogFixture> {
                return std::make_unique<Fixture>(max_pending_bytes);
            }};
}

INSTANTIATE_TEST_SUITE_P(Adapters, LogContract,
                         testing::Values(adapter<MemoryFixture>("memory"),
                                         adapter<FileFixture>("file")),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace penstock::contract
