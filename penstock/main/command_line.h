#pragma once

#include <iosfwd>
#include <variant>

#include "penstock/main/words.h"

namespace penstock {

/// The command line, read. What it gives to run refers to it, so it lives longer. Threads: one.
class CommandLine {
public:
    CommandLine() = default;
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    /// What the word does, or the exit code where reading was all: 0 after --help (told to `out`),
    /// 2 on wrong usage (told to `err`).
    std::variant<Run, int> parse(int argc, const char* const* argv, std::ostream& out,
                                 std::ostream& err);
    const CommonFlags& flags() const { return flags_; }

private:
    CommonFlags flags_;
};

}  // namespace penstock
