#include "penstock/runtime/line_mark.h"

#include "penstock/base/guarded.h"
#include "penstock/core/command.h"

namespace penstock {
namespace {

constexpr std::string_view kBefore = R"({"line":")", kAfter = R"("})";

std::optional<Uuid> line_in(const Logged& record) {
    const auto decoded = decode(record, "");
    const auto* command = std::get_if<Command>(&decoded);
    if (command == nullptr || command->type != kLineMarkType) return std::nullopt;
    std::string_view data = as_text(command->data);
    if (!data.starts_with(kBefore) || !data.ends_with(kAfter)) return std::nullopt;
    data.remove_prefix(kBefore.size());
    data.remove_suffix(kAfter.size());
    return parse_uuid(data);
}

class OneAppend final : public AppendSink {
public:
    explicit OneAppend(Executor& executor) : wake_(executor.make_wake()) {}

    void appended(std::span<const Appended> results) noexcept override {
        // Notified under the lock: whoever sees the answer may end this sink.
        const MutexLock lock(mutex_);
        result_ = results.front().offset;
        wake_->notify();
    }
    /// The log answers each append in a time of its own.
    Result<Offset> wait() {
        for (;;) {
            {
                const MutexLock lock(mutex_);
                if (result_) return *result_;
            }
            wake_->wait_until(kNever);
        }
    }

private:
    const std::unique_ptr<Wake> wake_;
    Mutex mutex_;
    std::optional<Result<Offset>> result_ GUARDED_BY(mutex_);
};

}  // namespace

Result<FirstRecord> read_first_record(Log& log, const TopicInfo& info) {
    const PartitionInfo& first = info.partitions.front();
    if (first.start != Offset(0)) return FirstRecord{FirstRecord::Kind::gone, {}};
    if (first.end == Offset(0)) return FirstRecord{};
    const auto read = log.read({info.spec.topic, first.partition}, Offset(0), ReadLimits{1, 1});
    if (!read) return read.error();
    const auto records = (*read)->records();
    const auto line = records.empty() ? std::nullopt : line_in(records.front());
    if (!line) return FirstRecord{FirstRecord::Kind::foreign, {}};
    return FirstRecord{FirstRecord::Kind::mark, *line};
}

Result<void> append_mark(Env& env, Log& log, const TopicId& topic, const Uuid& line) {
    const std::string data = std::string(kBefore) + format_uuid(line) + std::string(kAfter);
    Command command;
    command.id = make_uuid_v7(env.clock.wall(), env.random);
    const std::string id = format_uuid(command.id);
    command.id_text = id;
    command.type = kLineMarkType;
    command.key = topic.value();
    command.data = as_bytes(data);
    command.requested_at = env.clock.wall();
    const CommandRecord encoded(command);
    const Record record = encoded.record();
    OneAppend sink(env.executor);
    log.append({topic, PartitionId(0)}, std::span(&record, 1), 0, sink);
    if (auto offset = sink.wait(); !offset) return std::move(offset).error();
    return {};
}

}  // namespace penstock
