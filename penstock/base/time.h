#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// Wall time as it is written to records and stores: milliseconds since the Unix epoch.
using LogTime = std::chrono::sys_time<std::chrono::milliseconds>;

struct MonoClockTag {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    static constexpr bool is_steady = true;
};
/// Monotonic time for intervals and time-outs, nanoseconds from an arbitrary start.
using MonoTime = std::chrono::time_point<MonoClockTag, std::chrono::nanoseconds>;

inline constexpr MonoTime kNever = MonoTime::max();

/// Where time comes from. Threads: any.
class Clock {
public:
    virtual ~Clock() = default;
    virtual MonoTime mono() = 0;
    virtual LogTime wall() = 0;  ///< may step in either direction
};

inline LogTime log_time(std::int64_t unix_ms) {
    return LogTime(std::chrono::milliseconds(unix_ms));
}
inline std::int64_t unix_ms(LogTime time) {
    return time.time_since_epoch().count();
}

/// RFC 3339 with `Z` or an offset, up to nine fractional digits (cut to ms); nothing else.
std::optional<LogTime> parse_rfc3339(std::string_view text);
/// `2026-11-21T06:48:12.345Z`
std::string format_rfc3339(LogTime time);

}  // namespace penstock
