#include <fmt/format.h>

#include <fstream>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/main/check.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

int run_verify(const CommonFlags& flags, const std::optional<std::string>& history_path) {
    const auto settings = settings_of(flags);
    if (!settings) return fail(settings.error());
    CheckOptions options;
    options.settings = *settings;
    if (flags.server_given) options.server = flags.server;
    std::ifstream history;
    if (history_path) {
        history.open(*history_path);
        if (!history) {
            return fail(
                error(Code::invalid, fmt::format("the history {} cannot be read", *history_path)));
        }
        options.history = &history;
    }
    const auto verdict = check(system_env(), options);
    if (!verdict) return fail(verdict.error());
    fmt::print("{}", flags.json ? to_json(*verdict) + "\n" : to_text(*verdict));
    return verdict->ok() ? cli::kExitDone : cli::kExitCheckFailed;
}

}  // namespace

void add_verify(CLI::App& app, CommonFlags& flags, Run& run) {
    auto history = std::make_shared<std::optional<std::string>>();
    CLI::App* word = app.add_subcommand(
        "verify", "replay the log through an independent model, compare log, store and gate");
    word->add_option("--history", *history, "the callers' side, from load --history");
    word->callback([&flags, &run, history] {
        run = [&flags, history] { return run_verify(flags, *history); };
    });
}

}  // namespace penstock
