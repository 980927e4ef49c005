#include <fmt/format.h>
#include <unistd.h>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/edge/load/load.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

struct LoadFlags {
    load::LoadOptions options;
    std::string duration;
};

int run_load_word(const CommonFlags& flags, const LoadFlags& given) {
    load::LoadOptions options = given.options;
    auto server = cli::parse_server_url(flags.server);
    if (!server) return fail(server.error());
    options.server = std::move(*server);
    if (!given.duration.empty()) {
        options.duration = cli::parse_duration(given.duration);
        if (!options.duration) {
            return fail(error(Code::invalid, "--duration must be such as 30s or 5m"));
        }
    }
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const auto report = load::run_load(system_env(), options, [&](const load::LoadProgress& p) {
        if (!terminal) return;
        fmt::print(stderr, "\r{:6.1f} s  {} granted, {} refused, {} others ", p.seconds, p.granted,
                   p.refused, p.others);
    });
    if (terminal) fmt::print(stderr, "\n");
    if (!report) return fail(report.error());
    fmt::print("{}", flags.json ? to_json(*report) + "\n" : to_text(*report));
    return report->ok(options) ? cli::kExitDone : cli::kExitCheckFailed;
}

}  // namespace

void add_load(CLI::App& app, CommonFlags& flags, Run& run) {
    auto given = std::make_shared<LoadFlags>();
    load::LoadOptions& o = given->options;
    CLI::App* word = app.add_subcommand("load", "drive a running node with claims");
    word->add_option("--campaign", o.campaign, "campaign to claim from")->required();
    word->add_option("--users", o.users, "virtual users, one connection each (296)")
        ->check(CLI::Range(1, 10'000));
    word->add_option("--requests", o.requests, "claims in all");
    word->add_option("--duration", given->duration, "such as 30s");
    word->add_option("--rate", o.rate, "claims/s offered in an open loop (0: closed loop)")
        ->check(CLI::NonNegativeNumber);
    word->add_option("--quantity", o.quantity, "units of each claim")
        ->check(CLI::Range(1, 1 << 30));
    word->add_option("--batch", o.batch, "claims a request (1)")->check(CLI::Range(1, 1'000));
    word->add_option("--repeat-fraction", o.repeat_fraction, "part that repeats an earlier id")
        ->check(CLI::Range(0.0, 1.0));
    word->add_option("--user-prefix", o.user_prefix, "what user ids begin with (user-)");
    word->add_option("--users-offset", o.users_offset, "number of the first user (0)");
    word->add_flag("--retry", o.retry, "same id again until there is a final answer");
    word->add_option("--history", o.history, "file for the callers' side, for verify --history");
    word->callback(
        [&flags, &run, given] { run = [&flags, given] { return run_load_word(flags, *given); }; });
}

}  // namespace penstock
