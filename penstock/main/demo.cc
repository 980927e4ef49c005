#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/edge/load/load.h"
#include "penstock/main/check.h"
#include "penstock/main/child_server.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

constexpr std::chrono::seconds kReadyTime{30};

struct DemoFlags {
    std::uint32_t units = 50'000;
    std::uint64_t claims = 150'000;
    std::uint32_t clients = 296;
};

/// Removed with all that is in it.
class ScratchDirectory {
public:
    ScratchDirectory() {
        std::string pattern = std::filesystem::temp_directory_path() / "penstock-demo-XXXXXX";
        if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    }
    ~ScratchDirectory() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

Result<void> wait_until_ready(cli::HttpClient& client) {
    Env& env = system_env();
    const auto pause = env.executor.make_wake();
    const MonoTime until = env.clock.mono() + kReadyTime;
    for (;;) {
        const auto answer = client.call("GET", "/readyz");
        if (answer && answer->status == 200) return {};
        if (env.clock.mono() >= until) {
            return error(Code::not_ready, answer ? answer->body : answer.error().text);
        }
        pause->wait_until(env.clock.mono() + std::chrono::milliseconds(10));
    }
}

void show_progress(const DemoFlags& flags, const load::LoadProgress& progress) {
    constexpr int kWidth = 40;
    const auto claims = progress.granted + progress.refused + progress.others;
    const double part = std::min(1.0, static_cast<double>(claims) / flags.claims);
    const int filled = static_cast<int>(part * kWidth);
    fmt::print(stderr, "\r[{:#<{}}{:.<{}}] {:>6} granted {:>7} refused {:>7.0f} claims/s", "",
               filled, "", kWidth - filled, progress.granted, progress.refused,
               static_cast<double>(claims) / std::max(progress.seconds, 0.001));
}

Result<load::LoadReport> sell(const DemoFlags& flags, const ChildServer& server,
                              const std::string& history) {
    auto url = cli::parse_server_url(server.url());
    if (!url) return std::move(url).error();
    cli::HttpClient client(*url);
    PENSTOCK_TRY(wait_until_ready(client));
    auto created = client.call("PUT", "/v1/campaigns/demo",
                               fmt::format(R"({{"quantity":{},"per_user":1}})", flags.units));
    if (!created) return std::move(created).error();
    if (created->status != 201) return error(Code::invalid, created->body);

    load::LoadOptions load;
    load.server = *url;
    load.campaign = "demo";
    load.users = flags.clients;
    load.requests = flags.claims;
    load.repeat_fraction = 0.02;
    load.history = history;
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    auto report = load::run_load(system_env(), load, [&](const load::LoadProgress& progress) {
        if (terminal) show_progress(flags, progress);
    });
    if (terminal) fmt::print(stderr, "\n");
    return report;
}

int run_demo(const DemoFlags& flags) {
    Env& env = system_env();
    const ScratchDirectory scratch;
    const std::string data = scratch.path() + "/data";
    const std::string history_path = scratch.path() + "/history.ndjson";
    auto server = ChildServer::start(data);
    if (!server) return fail(server.error());
    fmt::print("{} units, {} clients, {} claims, 2 % of them repeats of an earlier id, over {}\n",
               flags.units, flags.clients, flags.claims, (*server)->url());
    const MonoTime began = env.clock.mono();
    const auto report = sell(flags, **server, history_path);
    if (!report) return fail(report.error());
    fmt::print("{}", load::to_text(*report));

    CheckOptions options;
    options.settings.data = data;
    options.server = (*server)->url();
    std::ifstream history(history_path);
    options.history = &history;
    const auto verdict = check(env, options);
    if (!verdict) return fail(verdict.error());
    const double seconds = std::chrono::duration<double>(env.clock.mono() - began).count();
    const double resident = (*server)->resident_mib();
    const int ended = (*server)->stop();
    fmt::print("\nVerdict of the independent model:\n{}", to_text(*verdict));
    const bool sold_out = report->granted == std::min<std::uint64_t>(flags.units, flags.claims);
    const bool good = verdict->ok() && report->mismatches == 0 && report->broken == 0 &&
                      report->unanswered == 0 && sold_out && ended == 0;
    fmt::print(
        "\n{}: {} of {} units granted in {:.1f} s with the check; the server used {:.0f} "
        "MiB and ended with {}\n",
        good ? "EXACT" : "NOT EXACT", report->granted, flags.units, seconds, resident, ended);
    return good ? cli::kExitDone : cli::kExitCheckFailed;
}

}  // namespace

void add_demo(CLI::App& app, CommonFlags&, Run& run) {
    auto flags = std::make_shared<DemoFlags>();
    CLI::App* word = app.add_subcommand("demo", "sell 50,000 units to 296 clients, then verify");
    word->add_option("--units", flags->units, "units (50000)")->check(CLI::Range(1, 1 << 30));
    word->add_option("--claims", flags->claims, "claims (150000)")->check(CLI::Range(1, 1 << 30));
    word->add_option("--clients", flags->clients, "clients (296)")->check(CLI::Range(1, 1'000));
    word->callback([&run, flags] { run = [flags] { return run_demo(*flags); }; });
}

}  // namespace penstock
