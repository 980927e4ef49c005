#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/main/embedded.h"
#include "penstock/main/version.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

constexpr std::chrono::seconds kStopTime{15};

void set_up_logging(const cli::Settings::Logging& logging) {
    auto logger = spdlog::stderr_logger_mt("penstock");
    logger->set_pattern(logging.format == "json"
                            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","text":"%v"})"
                            : "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                        spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::from_str(logging.level));
    spdlog::set_default_logger(logger);
}

EmbeddedOptions options_of(const cli::Settings& settings) {
    EmbeddedOptions options;
    options.data.root = settings.data;
    options.log.segment_bytes = settings.log.segment_bytes;
    options.log.scrub_bytes_per_s = settings.log.scrub_bytes_per_s;
    options.node.dedup_horizon = settings.runtime.dedup_horizon;
    options.node.max_in_line = settings.runtime.max_in_line;
    options.node.max_rows_per_s = settings.store.max_rows_per_s;
    options.node.low_water_bytes = settings.log.low_water_bytes;
    options.node.topics = {
        {TopicId("sale"), 1, settings.log.retention_time, settings.log.retention_bytes}};
    options.http.listen = settings.http.listen;
    if (!settings.http.unix_socket.empty()) options.http.unix_path = settings.http.unix_socket;
    options.http.allowed_hosts = settings.http.allowed_hosts;
    options.http.version = kVersion;
    return options;
}

/// The disk cannot be believed, or the line cannot go on: nothing more may be acknowledged.
void end_at_once(const Error& why) {
    fmt::print(stderr, "penstock: {}\n", why.text);
    ::_exit(cli::exit_code(why));
}

/// What may be changed while running: read again at SIGHUP.
void reload(const CommonFlags& flags, Embedded& embedded) {
    const auto settings = settings_of(flags);
    if (!settings) {
        spdlog::error("the settings stay as they were: {}", settings.error().text);
        return;
    }
    embedded.node().set_max_rows_per_s(settings->store.max_rows_per_s);
    spdlog::set_level(spdlog::level::from_str(settings->logging.level));
    spdlog::info("settings read again: max_rows_per_s = {}", settings->store.max_rows_per_s);
}

int serve(const CommonFlags& flags) {
    const auto settings = settings_of(flags);
    if (!settings) return fail(settings.error());
    set_up_logging(settings->logging);
    // Blocked before any thread starts, so that only sigwait() sees them.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    Env& env = system_env();
    auto embedded = Embedded::start(env, options_of(*settings), end_at_once);
    if (!embedded) return fail(embedded.error());
    const std::string host = settings->http.listen.substr(0, settings->http.listen.rfind(':'));
    fmt::print(stderr, "penstock {} on {}: listening on http://{}:{}\n", kVersion, settings->data,
               host, (*embedded)->port());
    for (int number = 0;;) {
        sigwait(&signals, &number);
        if (number != SIGHUP) break;
        reload(flags, **embedded);
    }
    (*embedded)->stop(env.clock.mono() + kStopTime);
    return cli::kExitDone;
}

}  // namespace

void add_serve(CLI::App& app, CommonFlags& flags, Run& run) {
    app.add_subcommand("serve", "run a node: log files, SQLite, gate, HTTP")
        ->callback([&flags, &run] { run = [&flags] { return serve(flags); }; });
}

}  // namespace penstock
