#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/edge/http/response.h"
#include "penstock/main/engines.h"
#include "penstock/main/logging.h"
#include "penstock/main/serve_options.h"
#include "penstock/main/version.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

constexpr std::chrono::seconds kStopTime{15};
constexpr std::chrono::seconds kFarewell{4};  ///< to engines, when every caller has his answer
constexpr int kStarted = SIGUSR1;             ///< from ourselves

/// The disk cannot be believed, or the line cannot go on: nothing more may be acknowledged.
void end_at_once(const Error& why) {
    fmt::print(stderr, "penstock: {}\n", why.text);
    ::_exit(cli::exit_code(why));
}

/// What may be changed while running: read again at SIGHUP.
void reload(const CommonFlags& flags, Process& process) {
    const auto settings = settings_of(flags);
    if (!settings) {
        spdlog::error("the settings stay as they were: {}", settings.error().text);
        return;
    }
    process.node().set_max_rows_per_s(settings->store.max_rows_per_s);
    spdlog::set_level(spdlog::level::from_str(settings->logging.level));
    spdlog::info("settings read again: max_rows_per_s = {}", settings->store.max_rows_per_s);
}

/// What it runs on, for people; no URL, since that may hold a password.
std::string engines_of(const cli::Settings& settings) {
    if (!needs_data_directory(settings)) {
        return fmt::format("{}, {}, {}", settings.log.kind, settings.gate.kind,
                           settings.store.kind);
    }
    return settings.data;
}

/// Where it listens: a line for people, or one of JSON on stdout for programs that start a node.
void announce(const CommonFlags& flags, const cli::Settings& settings, std::uint16_t port) {
    const std::string host = settings.http.listen.substr(0, settings.http.listen.rfind(':'));
    const std::string url = fmt::format("http://{}:{}", host, port);
    if (flags.json) {
        fmt::print("{{\"version\":\"{}\",\"data\":{},\"url\":\"{}\"}}\n", kVersion,
                   http::json_string(settings.data), url);
        std::fflush(stdout);
    } else {
        fmt::print(stderr, "penstock {} on {}: listening on {}\n", kVersion, engines_of(settings),
                   url);
    }
}

/// On a thread of its own, so that a signal ends a start that waits for a server. Nothing was taken
/// in then.
Result<std::unique_ptr<Process>> start(Env& env, ProcessOptions options, const sigset_t& signals) {
    Result<std::unique_ptr<Process>> process = error(Code::stopped, "not started");
    auto starting = env.executor.spawn("start", [&] {
        process = Process::start(env, std::move(options), end_at_once);
        ::kill(::getpid(), kStarted);
    });
    for (int number = 0; number != kStarted;) {
        sigwait(&signals, &number);
        if (number == SIGTERM || number == SIGINT) ::_exit(cli::kExitDone);
    }
    starting.reset();
    return process;
}

/// An engine that hangs does not hold the end up: what it was asked last is as after a crash.
void stop(Env& env, std::unique_ptr<Process> process) {
    const MonoTime by = env.clock.mono() + kStopTime;
    const auto stopped = env.executor.make_wake();
    const auto stopping = env.executor.spawn("stop", [&] {
        process->stop(by);
        process.reset();
        stopped->notify();
    });
    if (stopped->wait_until(by + kFarewell)) return;
    spdlog::warn("an engine does not answer; the end does not wait for it");
    ::_exit(cli::kExitDone);
}

int serve(const CommonFlags& flags) {
    const auto settings = settings_of(flags);
    if (!settings) return fail(settings.error());
    auto options = serve_options(*settings);
    if (!options) return fail(options.error());
    set_up_logging(settings->logging);
    // Blocked before any thread starts, so that only sigwait() sees them.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, kStarted}) sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    Env& env = system_env();
    auto process = start(env, std::move(*options), signals);
    if (!process) return fail(process.error());
    announce(flags, *settings, (*process)->port());
    for (int number = 0;;) {
        sigwait(&signals, &number);
        if (number == SIGTERM || number == SIGINT) break;
        if (number == SIGHUP) reload(flags, **process);
    }
    stop(env, std::move(*process));
    return cli::kExitDone;
}

}  // namespace

void add_serve(CLI::App& app, CommonFlags& flags, Run& run) {
    app.add_subcommand("serve", "run a node: log files, SQLite, gate, HTTP")
        ->callback([&flags, &run] { run = [&flags] { return serve(flags); }; });
}

}  // namespace penstock
