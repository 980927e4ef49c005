#include "penstock/main/words.h"

#include <fmt/format.h>

#include <cstdio>

#include "penstock/edge/cli/exit_code.h"

namespace penstock {

Result<cli::Settings> settings_of(const CommonFlags& flags) {
    auto settings = cli::load_settings(flags.config, cli::penstock_environment());
    if (!settings) return settings;
    if (flags.data) settings->data = *flags.data;
    if (flags.listen) settings->http.listen = *flags.listen;
    return settings;
}

int fail(const Error& error) {
    fmt::print(stderr, "penstock: {}\n", error.text);
    return cli::exit_code(error);
}

}  // namespace penstock
