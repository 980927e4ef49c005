#pragma once

#include <errno.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/env.h"

namespace penstock::bench {

/// Says why on standard error, under the program's name, and ends with 1: a figure of something
/// that failed is none.
[[noreturn]] inline void give_up(std::string_view why) {
    fmt::print(stderr, "{}: {}\n", program_invocation_short_name, why);
    std::exit(1);
}

inline void require(const Result<void>& result) {
    if (!result) give_up(result.error().text);
}

template <class T>
T require(Result<T> result) {
    if (!result) give_up(result.error().text);
    return *std::move(result);
}

/// The upper one of the two in the middle.
inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

inline double seconds_since(MonoTime began) {
    return std::chrono::duration<double>(system_env().clock.mono() - began).count();
}

/// One JSON line: the median of the runs, the least and the most. Not empty.
inline void print_figure(std::string_view bench, std::string_view figure,
                         const std::vector<double>& runs) {
    const auto [least, most] = std::minmax_element(runs.begin(), runs.end());
    fmt::print(
        "{{\"bench\":\"{}\",\"figure\":\"{}\",\"median\":{:.4g},\"min\":{:.4g},\"max\":{:.4g},"
        "\"runs\":{}}}\n",
        bench, figure, median(runs), *least, *most, runs.size());
}

}  // namespace penstock::bench
