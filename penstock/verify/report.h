#pragma once

#include <deque>

#include "penstock/verify/verify.h"

namespace penstock::verify {

/// Gathers checks. References stay valid.
class Report {
public:
    Check& check(std::string name);
    Verdict take();

private:
    std::deque<Check> checks_;
};

inline constexpr std::size_t kMaxFaultsTold = 5;

void fault(Check& check, std::string text);

/// Any text as part of a line: what is not printable ASCII as \xHH, cut when it is long.
std::string shown(std::string_view text);

}  // namespace penstock::verify
