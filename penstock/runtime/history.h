#pragma once

#include "penstock/runtime/ownership.h"

/// Do log and database belong together? Each answers `damaged` with what is wrong where it does
/// not.
namespace penstock {

/// Is the partition, as the log describes it, the one that `owned` was fed from?
Result<void> check_history(Log& log, const Owned& owned, const PartitionInfo& info);

/// May a fresh database be built from the partition? Only from one that is whole, and where no
/// outcome hung on the clock.
Result<void> check_replayable(Log& log, const TopicPartition& at, const PartitionInfo& info);

/// `what` is wrong with the partition; what to do stands in the text.
Error diverged(const TopicPartition& at, std::string_view what);

}  // namespace penstock
