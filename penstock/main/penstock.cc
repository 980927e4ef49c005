// The program: one word, its flags, its exit code.
#include <sys/resource.h>

#include <csignal>
#include <iostream>

#include "penstock/main/command_line.h"

namespace {

/// A dump of the process would hold what callers sent.
void forbid_core_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

int main(int argc, char** argv) {
    forbid_core_dumps();
    // Writes beyond a closed pipe or a limit on file sizes fail where they are made.
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    penstock::CommandLine line;
    const auto read = line.parse(argc, argv, std::cout, std::cerr);
    if (const int* code = std::get_if<int>(&read)) return *code;
    return std::get<penstock::Run>(read)();
}
