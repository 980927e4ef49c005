#include "penstock/log/file/bodies.h"

#include <fmt/format.h>

namespace penstock::logfile {
namespace {

constexpr std::size_t kScrubChunkBytes = 256 * 1024;

}  // namespace

LogBodies::LogBodies(Env& env, const FileLogOptions& options, Partitions partitions)
    : env_(env),
      options_(options),
      partitions_(std::move(partitions)),
      write_wake_(env.executor.make_wake()),
      prepare_wake_(env.executor.make_wake()),
      scrub_wake_(env.executor.make_wake()) {
    tasks_.push_back(env.executor.spawn("log-write", [this] { write(); }));
    tasks_.push_back(env.executor.spawn("log-prepare", [this] { prepare(); }));
}

void LogBodies::start_scrub() {
    if (options_.scrub_bytes_per_s == 0) return;
    tasks_.push_back(env_.executor.spawn("log-scrub", [this] { scrub(); }));
}

LogBodies::~LogBodies() {
    closing_ = true;
    write_wake_->notify();
    prepare_wake_->notify();
    scrub_wake_->notify();
    tasks_.clear();
}

void LogBodies::ready(const std::shared_ptr<Partition>& partition) {
    const bool first = ready_.with([&](auto& partitions) {
        partitions.push_back(partition);
        return partitions.size() == 1;
    });
    if (first) write_wake_->notify();
}

void LogBodies::want_spare(const std::shared_ptr<Partition>& partition, std::uint64_t bytes) {
    wanted_.with([&](auto& wanted) { wanted.push_back({partition, bytes}); });
    prepare_wake_->notify();
}

void LogBodies::fatal(const TopicPartition& at, const Error& why) {
    if (options_.observer) options_.observer->partition_stopped(at, why);
    if (options_.on_fatal) options_.on_fatal(why);
}

/// A batch of each partition that has one, round after round.
void LogBodies::write() {
    Delivery delivery;
    std::vector<std::shared_ptr<Partition>> round;
    std::vector<std::shared_ptr<Partition>> again;
    while (!closing_) {
        round.clear();
        round.swap(again);
        ready_.with([&](auto& partitions) {
            round.insert(round.end(), partitions.begin(), partitions.end());
            partitions.clear();
        });
        for (const auto& partition : round) {
            if (partition->write_next(delivery) == Partition::Wrote::batch) {
                again.push_back(partition);
            }
        }
        if (!again.empty()) continue;
        rested_.notify();
        if (ready_.with([](auto& partitions) { return partitions.empty(); })) {
            write_wake_->wait_until(kNever);
        }
    }
}

void LogBodies::prepare() {
    std::vector<Wanted> wanted;
    while (!closing_) {
        wanted.clear();
        wanted_.with([&](auto& queue) { wanted.swap(queue); });
        for (const Wanted& next : wanted) {
            next.partition->make_spare(next.bytes, [this] { return closing_.load(); });
        }
        if (wanted.empty()) prepare_wake_->wait_until(kNever);
    }
}

void LogBodies::scrub() {
    while (!closing_) {
        for (const auto& partition : partitions_()) {
            for (const auto& segment : partition->closed_segments()) {
                if (closing_) return;
                if (auto read = scrub_segment(*partition, *segment); !read) {
                    partition->stop_damaged(read.error());
                    break;
                }
            }
        }
        const MonoTime next = env_.clock.mono() + options_.scrub_pause;
        while (!closing_ && env_.clock.mono() < next) scrub_wake_->wait_until(next);
    }
}

Result<void> LogBodies::scrub_segment(Partition& partition, const Segment& segment) {
    auto file = env_.files.open(segment.path, OpenMode::read);
    if (!file) {
        // A trim was faster.
        if (file.error().code == Code::not_found) return {};
        return std::move(file).error();
    }
    SegmentScanner scanner(**file, segment.header, segment.first(), kScrubChunkBytes);
    std::uint64_t scrubbed = scanner.place().position;
    while (!closing_ && scanner.place().position < segment.end.position) {
        auto found = scanner.next(segment.end.position);
        if (!found) return std::move(found).error();
        if (*found != Found::batch) {
            return error(Code::damaged,
                         fmt::format("{} is damaged at position {}, offset {}: {}", segment.path,
                                     scanner.place().position, scanner.place().offset.value(),
                                     *found == Found::bad ? scanner.why() : "zeros inside"));
        }
        const std::uint64_t bytes = scanner.place().position - scrubbed;
        if (bytes < kScrubChunkBytes && scanner.place().position < segment.end.position) continue;
        scrubbed = scanner.place().position;
        if (options_.observer) options_.observer->scrubbed(bytes);
        pause_scrub(bytes);
    }
    (void)partition;
    return {};
}

void LogBodies::pause_scrub(std::uint64_t bytes) {
    const std::chrono::nanoseconds pause(static_cast<std::int64_t>(
        static_cast<double>(bytes) / static_cast<double>(options_.scrub_bytes_per_s) * 1e9));
    const MonoTime until = env_.clock.mono() + pause;
    while (!closing_ && env_.clock.mono() < until) scrub_wake_->wait_until(until);
}

}  // namespace penstock::logfile
