#include <fmt/format.h>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/edge/http/response.h"
#include "penstock/main/engines.h"
#include "penstock/main/version.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

class Quiet final : public EngineObserver {
public:
    void log_synced(std::size_t, std::size_t, std::chrono::nanoseconds) noexcept override {}
    void tell(const std::string&) noexcept override {}
    void alarm(const std::string&) noexcept override {}
    void gate_needs_rebuild() noexcept override {}
    void gate_in_doubt() noexcept override {}
    void disk_failed(const Error&) noexcept override {}
};

void print(const CommonFlags& flags, std::string_view what, std::string_view text) {
    if (flags.json) {
        fmt::print(",\"{}\":{}", what, http::json_string(text));
    } else {
        fmt::print("{}: {}\n", what, text);
    }
}

/// Prints what answers; the exit code of an engine that does not, or 0.
template <class Port>
int tell(const CommonFlags& flags, std::string_view what, const Result<Port>& engine) {
    print(flags, what, engine ? (*engine)->about() : engine.error().text);
    return engine ? cli::kExitDone : cli::exit_code(engine.error());
}

/// Only servers are asked: what is embedded has this program's version.
int ask_engines(const CommonFlags& flags) {
    const auto settings = settings_of(flags);
    if (!settings) return fail(settings.error());
    Env& env = system_env();
    Quiet observer;
    int worst = cli::kExitDone;
    if (settings->log.kind != "file") {
        worst = std::max(worst, tell(flags, "log", open_log_to_read(env, *settings)));
    }
    if (settings->gate.kind != "local") {
        worst = std::max(worst, tell(flags, "gate", open_gate(env, *settings, observer)));
    }
    if (settings->store.kind != "sqlite") {
        worst = std::max(worst, tell(flags, "store", open_store(env, *settings)));
    }
    return worst;
}

int print_version(const CommonFlags& flags, bool connect) {
    fmt::print(fmt::runtime(flags.json ? "{{\"version\":\"{}\"" : "penstock {}\n"), kVersion);
    const int code = connect ? ask_engines(flags) : cli::kExitDone;
    if (flags.json) fmt::print("}}\n");
    return code;
}

}  // namespace

void add_version(CLI::App& app, CommonFlags& flags, Run& run) {
    auto connect = std::make_shared<bool>(false);
    CLI::App* word = app.add_subcommand("version", "print the version");
    word->add_flag("--connect", *connect, "and those of the servers that the settings name");
    word->callback([&flags, &run, connect] {
        run = [&flags, connect] { return print_version(flags, *connect); };
    });
}

}  // namespace penstock
