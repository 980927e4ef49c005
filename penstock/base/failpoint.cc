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

}  // namespace

std::optional<std::string> failpoint(std::string_view name) {
    static const auto all = read_failpoints();
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
}

bool fail_at_failpoint(std::string_view name) {
    const auto file = failpoint(name);
    return file && ::unlink(file->c_str()) == 0;
}

void stop_at_failpoint(std::string_view name) {
    if (fail_at_failpoint(name)) ::raise(SIGSTOP);
}

void die_at_failpoint(std::string_view name) {
    if (fail_at_failpoint(name)) ::raise(SIGKILL);
}

}  // namespace penstock
#endif
