// Figures of the embedded log, one JSON line each, beside the raw fdatasync of the same run.
// Usage: log_bench [--dir DIR] [--runs N] [--small]; the figures are medians over the runs.

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "bench/flight_sink.h"
#include "bench/measure.h"
#include "penstock/base/env.h"
#include "penstock/log/file/file_log.h"

namespace penstock {
namespace {

using bench::FlightSink;
using bench::median;
using bench::require;
using bench::seconds_since;

const TopicPartition kAt{TopicId("bench"), PartitionId(0)};
constexpr std::size_t kRecordBytes = 100;

struct Sizes {
    std::size_t lone_appends = 2000;
    std::size_t probe_syncs = 2000;
    std::size_t blocking_callers = 64;
    std::size_t blocking_appends = 100'000;
    std::size_t async_in_flight = 16'000;
    std::size_t async_records = 8'000'000;
    std::uint64_t restart_bytes = 1 << 30;
};

/// One record at a time, each waits for the answer.
class LoneSink final : public AppendSink {
public:
    LoneSink() : wake_(system_env().executor.make_wake()) {}
    void appended(std::span<const Appended> results) noexcept override {
        if (!results.front().offset) std::abort();
        wake_->notify();
    }
    void wait() { wake_->wait_until(kNever); }

private:
    const std::unique_ptr<Wake> wake_;
};

class Bench {
public:
    Bench(std::string directory, const Sizes& sizes)
        : directory_(std::move(directory)), sizes_(sizes) {}

    void run() {
        figures_["fdatasync_p50_us"].push_back(probe());
        figures_["append_one_caller_p50_us"].push_back(one_caller());
        figures_["append_64_callers_per_s"].push_back(blocking_callers());
        // In a segment that was written ahead, and with segments written ahead meanwhile.
        const std::uint64_t ample = sizes_.async_records * (kRecordBytes + 16);
        figures_["append_async_16000_per_s"].push_back(asynchronous(ample));
        figures_["append_async_16000_of_ceiling"].push_back(
            figures_["append_async_16000_per_s"].back() / large_probe());
        figures_["append_async_16000_rolling_per_s"].push_back(asynchronous(0));
        figures_["restart_s_per_gib"].push_back(restart());
        figures_["append_one_caller_ratio"].push_back(figures_["append_one_caller_p50_us"].back() /
                                                      figures_["fdatasync_p50_us"].back());
    }

    void print() const {
        for (const auto& [name, runs] : figures_) bench::print_figure("log", name, runs);
    }

private:
    /// p50 of write and fdatasync of 4 KiB into a file that was written before.
    double probe() {
        const std::string path = directory_ + "/probe";
        constexpr std::size_t kBytes = 4096;
        std::vector<double> us;
        {
            auto file = require(system_env().files.open(path, OpenMode::create));
            const std::vector<std::byte> zeros(1024 * 1024);
            const std::vector<std::byte> block(kBytes, std::byte{1});
            for (std::size_t i = 0; i * zeros.size() < sizes_.probe_syncs * kBytes; ++i) {
                require(file->write(i * zeros.size(), zeros));
            }
            require(file->sync());
            for (std::size_t i = 0; i < sizes_.probe_syncs; ++i) {
                const MonoTime began = system_env().clock.mono();
                require(file->write(i * kBytes, block));
                require(file->sync());
                us.push_back(seconds_since(began) * 1e6);
            }
        }
        require(system_env().files.remove(path));
        return median(us);
    }

    /// Records per second of batches as large as 16,000 of them, written and synced one after the
    /// other into a file that was written before, with nothing else done.
    double large_probe() {
        const std::string path = directory_ + "/probe";
        const std::vector<std::byte> batch(sizes_.async_in_flight * (kRecordBytes + 2),
                                           std::byte{1});
        const std::size_t batches = std::max<std::size_t>(2, (256 << 20) / batch.size());
        double took = 0;
        {
            auto file = require(system_env().files.open(path, OpenMode::create));
            for (int written_before = 0; written_before < 2; ++written_before) {
                const MonoTime began = system_env().clock.mono();
                for (std::size_t i = 0; i < batches; ++i) {
                    require(file->write(i * batch.size(), batch));
                    require(file->sync());
                }
                took = seconds_since(began);
            }
        }
        require(system_env().files.remove(path));
        return static_cast<double>(batches * sizes_.async_in_flight) / took;
    }

    /// `first_segment_bytes`: written ahead before the clock starts; 0: the default.
    std::unique_ptr<FileLog> fresh(std::uint64_t first_segment_bytes = 0) {
        std::filesystem::remove_all(directory_ + "/log");
        auto log = open(first_segment_bytes);
        TopicSpec spec;
        spec.topic = kAt.topic;
        require(log->create(spec));
        return log;
    }
    std::unique_ptr<FileLog> open(std::uint64_t first_segment_bytes = 0) {
        FileLogOptions options;
        if (first_segment_bytes > 0) {
            options.first_segment_bytes = options.segment_bytes = first_segment_bytes;
        }
        options.directory = directory_ + "/log";
        options.on_fatal = [](const Error&) { std::abort(); };
        return require(FileLog::open(system_env(), options));
    }

    double one_caller() {
        const auto log = fresh();
        const std::string value(kRecordBytes, 'v');
        Record record;
        record.value = as_bytes(value);
        LoneSink sink;
        std::vector<double> us;
        for (std::size_t i = 0; i < sizes_.lone_appends; ++i) {
            const MonoTime began = system_env().clock.mono();
            log->append(kAt, {&record, 1}, i, sink);
            sink.wait();
            us.push_back(seconds_since(began) * 1e6);
        }
        return median(us);
    }

    double blocking_callers() {
        const auto log = fresh();
        const std::size_t each = sizes_.blocking_appends / sizes_.blocking_callers;
        const MonoTime began = system_env().clock.mono();
        {
            std::vector<std::unique_ptr<Task>> callers;
            for (std::size_t i = 0; i < sizes_.blocking_callers; ++i) {
                callers.push_back(system_env().executor.spawn("caller", [&log, each] {
                    const std::string value(kRecordBytes, 'v');
                    Record record;
                    record.value = as_bytes(value);
                    LoneSink sink;
                    for (std::size_t n = 0; n < each; ++n) {
                        log->append(kAt, {&record, 1}, n, sink);
                        sink.wait();
                    }
                }));
            }
        }
        return static_cast<double>(each * sizes_.blocking_callers) / seconds_since(began);
    }

    double asynchronous(std::uint64_t first_segment_bytes) {
        const auto log = fresh(first_segment_bytes);
        constexpr std::size_t kPerCall = 100;
        const std::string value(kRecordBytes, 'v');
        Record record;
        record.value = as_bytes(value);
        const std::vector<Record> call(kPerCall, record);
        FlightSink sink;
        const MonoTime began = system_env().clock.mono();
        std::size_t sent = 0;
        while (sink.landed() < sizes_.async_records) {
            if (sent < sizes_.async_records && sent - sink.landed() < sizes_.async_in_flight) {
                log->append(kAt, call, sent, sink);
                sent += kPerCall;
            } else {
                sink.wait();
            }
        }
        const double took = seconds_since(began);
        log->stop(kNever);
        return static_cast<double>(sent) / took;
    }

    double restart() {
        {
            const auto log = fresh();
            const std::string value(kRecordBytes, 'v');
            Record record;
            record.value = as_bytes(value);
            const std::vector<Record> call(1000, record);
            FlightSink sink;
            std::size_t sent = 0;
            while (sent * kRecordBytes < sizes_.restart_bytes) {
                if (sent - sink.landed() >= 40'000) {
                    sink.wait();
                    continue;
                }
                log->append(kAt, call, sent, sink);
                sent += call.size();
            }
            while (sink.landed() < sent) sink.wait();
            log->stop(kNever);
        }
        const MonoTime began = system_env().clock.mono();
        const auto log = open();
        const double took = seconds_since(began);
        const auto bytes = require(log->describe(kAt.topic)).at(0).partitions.at(0).bytes;
        return took / (static_cast<double>(bytes) / (1 << 30));
    }

    const std::string directory_;
    const Sizes sizes_;
    std::map<std::string, std::vector<double>> figures_;
};

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
    std::string parent = ".";
    int runs = 5;
    penstock::Sizes sizes;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--small") {
            sizes = {50, 50, 8, 800, 1000, 20'000, 4 << 20};
        } else if (word == "--dir" && i + 1 < argc) {
            parent = argv[++i];
        } else if (word == "--runs" && i + 1 < argc) {
            runs = std::max(1, std::atoi(argv[++i]));
        } else {
            fmt::print(stderr, "usage: log_bench [--dir DIR] [--runs N] [--small]\n");
            return 2;
        }
    }
    std::string directory = parent + "/log-bench-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) {
        penstock::bench::give_up("cannot make a directory in " + parent);
    }
    penstock::Bench bench(directory, sizes);
    for (int i = 0; i < runs; ++i) bench.run();
    bench.print();
    std::filesystem::remove_all(directory);
    return 0;
}
