#include "penstock/base/failpoint.h"

#if PENSTOCK_FAILPOINTS
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

namespace penstock {
namespace {

std::map<std::string, std::string, std::less<>> read_failpoints() {
    std::map<std::string, std::string, std::less<>> all;
    const char* const given = std::getenv("TEST_FAILPOINTS");
    std::string_view rest = given == nullptr ? "" : given;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(';'));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        const auto equals = one.find('=');
        all.emplace(one.substr(0, equals),
                    equals == std::string_view::npos ? "" : one.substr(equals + 1));
    }
    return all;
}

/// Sends the process `signal` if the failpoint is on and its file is there, once a file.
void signal_at_failpoint(std::string_view name, int signal) {
    const auto file = failpoint(name);
    if (file && ::unlink(file->c_str()) == 0) ::raise(signal);
}

}  // namespace

std::optional<std::string> failpoint(std::string_view name) {
    static const auto all = read_failpoints();
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
}

void stop_at_failpoint(std::string_view name) {
    signal_at_failpoint(name, SIGSTOP);
}

void die_at_failpoint(std::string_view name) {
    signal_at_failpoint(name, SIGKILL);
}

}  // namespace penstock
#endif
