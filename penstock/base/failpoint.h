#pragma once

#if PENSTOCK_FAILPOINTS
#include <optional>
#include <string>
#include <string_view>

/// Faults on demand in the real program, in test builds only. The environment variable
/// TEST_FAILPOINTS names them: "name=argument;name".
namespace penstock {

/// The argument of a failpoint that is on, perhaps empty; none: it is off. Threads: any.
std::optional<std::string> failpoint(std::string_view name);

/// If the failpoint is on and the file that its argument names is there: removes the file and stops
/// the process with SIGSTOP, as a machine's pause would.
void stop_at_failpoint(std::string_view name);

/// The same, but the process dies of SIGKILL.
void die_at_failpoint(std::string_view name);

}  // namespace penstock
#endif
