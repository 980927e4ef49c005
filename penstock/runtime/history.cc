#include "penstock/runtime/history.h"

#include <fmt/format.h>

#include "penstock/core/command.h"

namespace penstock {
namespace {

constexpr std::size_t kMaxReadBytes = 4 * 1024 * 1024;

Result<void> check_fingerprint(Log& log, const Owned& owned) {
    const auto last =
        log.read(owned.at, Offset(owned.next.value() - 1), ReadLimits{1, kMaxReadBytes});
    if (!last) return last.error();
    const auto records = (*last)->records();
    if (!records.empty() && fingerprint(records.front()) == owned.fingerprint) return {};
    return diverged(owned.at, fmt::format("the record at offset {} is not the one that the "
                                          "database has applied",
                                          owned.next.value() - 1));
}

bool has_deadline(const Logged& record) {
    for (const Header& header : record.headers) {
        if (header.name == header::kDeadline) return true;
    }
    return false;
}

}  // namespace

Error diverged(const TopicPartition& at, std::string_view what) {
    return error(Code::damaged,
                 fmt::format("topic {} partition {}: {}; log and database do not belong together: "
                             "restore the pair that does, or verify each against a backup",
                             at.topic.value(), at.partition.value(), what));
}

Result<void> check_history(Log& log, const Owned& owned, const PartitionInfo& info) {
    if (owned.log_uuid != info.uuid) {
        return diverged(owned.at, "the log's partition is not the one this database was fed from");
    }
    if (info.end < owned.next) {
        return diverged(owned.at, fmt::format("the log ends at offset {}, but the database has "
                                              "applied up to {}",
                                              info.end.value(), owned.next.value()));
    }
    if (owned.next < info.start) {
        return diverged(owned.at, fmt::format("the log begins at offset {}, but {} was to be "
                                              "applied next",
                                              info.start.value(), owned.next.value()));
    }
    return owned.next == info.start ? Result<void>{} : check_fingerprint(log, owned);
}

Result<void> check_replayable(Log& log, const TopicPartition& at, const PartitionInfo& info) {
    if (info.start != Offset(0)) {
        return diverged(at, fmt::format("there is no database, and the log begins at offset {}",
                                        info.start.value()));
    }
    Offset next = info.start;
    while (next < info.end) {
        const auto read = log.read(at, next, ReadLimits{10'000, kMaxReadBytes});
        if (!read) return read.error();
        if ((*read)->records().empty()) break;  // only marks of transactions up to the end
        for (const Logged& record : (*read)->records()) {
            if (has_deadline(record)) {
                return diverged(at, fmt::format("there is no database, and the command at offset "
                                                "{} has a deadline, so its outcome cannot be "
                                                "computed again",
                                                record.offset.value()));
            }
            next = Offset(record.offset.value() + 1);
        }
    }
    return {};
}

}  // namespace penstock
