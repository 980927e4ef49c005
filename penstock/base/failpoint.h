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

/// Once for each time that the file which the failpoint's argument names is there: removes it, and
/// the caller fails.
bool fail_at_failpoint(std::string_view name);

/// The same, but stops the process with SIGSTOP, as a machine's pause would.
void stop_at_failpoint(std::string_view name);

/// The same, but the process dies of SIGKILL.
void die_at_failpoint(std::string_view name);

}  // namespace penstock
#endif
