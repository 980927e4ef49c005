#include "penstock/base/time.h"

#include <fmt/format.h>

namespace penstock {
namespace {

bool read_digits(std::string_view& text, std::size_t count, int& value) {
    if (text.size() < count) return false;
    value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return true;
}

bool read_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

/// Fraction of a second in ms, cut; false if it is there and malformed.
bool read_fraction(std::string_view& text, int& ms) {
    ms = 0;
    if (!read_char(text, ".")) return true;
    int digits = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9' && digits < 9) {
        if (digits < 3) ms = ms * 10 + (text[0] - '0');
        ++digits;
        text.remove_prefix(1);
    }
    for (int i = digits; i < 3; ++i) ms *= 10;
    return digits > 0;
}

bool read_offset(std::string_view& text, int& minutes) {
    minutes = 0;
    if (read_char(text, "Zz")) return true;
    const bool negative = !text.empty() && text[0] == '-';
    int hour = 0;
    int minute = 0;
    if (!read_char(text, "+-") || !read_digits(text, 2, hour) || !read_char(text, ":") ||
        !read_digits(text, 2, minute) || hour > 23 || minute > 59) {
        return false;
    }
    minutes = (hour * 60 + minute) * (negative ? -1 : 1);
    return true;
}

}  // namespace

std::optional<LogTime> parse_rfc3339(std::string_view text) {
    int year, month, day, hour, minute, second, ms, offset;
    if (!read_digits(text, 4, year) || !read_char(text, "-") || !read_digits(text, 2, month) ||
        !read_char(text, "-") || !read_digits(text, 2, day) || !read_char(text, "Tt ") ||
        !read_digits(text, 2, hour) || !read_char(text, ":") || !read_digits(text, 2, minute) ||
        !read_char(text, ":") || !read_digits(text, 2, second) || !read_fraction(text, ms) ||
        !read_offset(text, offset) || !text.empty()) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(hour) +
           std::chrono::minutes(minute - offset) + std::chrono::seconds(second) +
           std::chrono::milliseconds(ms);
}

std::string format_rfc3339(LogTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const auto in_day = (time - day).count();
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       in_day / 3'600'000, in_day / 60'000 % 60, in_day / 1000 % 60, in_day % 1000);
}

}  // namespace penstock
