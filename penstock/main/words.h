#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "penstock/edge/cli/config.h"

namespace penstock {

/// Flags that every word knows.
struct CommonFlags {
    std::optional<std::string> config;
    std::optional<std::string> data;
    std::optional<std::string> listen;
    std::string server = "http://127.0.0.1:8080";
    bool server_given = false;
    bool json = false;  ///< --output json
};

/// A word sets `run`; main() calls it and returns what it returns.
using Run = std::function<int()>;

void add_serve(CLI::App& app, CommonFlags& flags, Run& run);
void add_demo(CLI::App& app, CommonFlags& flags, Run& run);
void add_load(CLI::App& app, CommonFlags& flags, Run& run);
void add_verify(CLI::App& app, CommonFlags& flags, Run& run);
void add_log(CLI::App& app, CommonFlags& flags, Run& run);
void add_version(CLI::App& app, CommonFlags& flags, Run& run);
/// topic, produce, consume
void add_topic_words(CLI::App& app, CommonFlags& flags, Run& run);

/// File, environment and flags together.
Result<cli::Settings> settings_of(const CommonFlags& flags);
/// Says the error on stderr and gives its exit code.
int fail(const Error& error);

}  // namespace penstock
