#include "penstock/edge/load/load.h"

#include <fmt/format.h>

#include "penstock/edge/load/load_run.h"

namespace penstock::load {
namespace {

constexpr std::uint32_t kMaxUsers = 10'000;
constexpr std::uint64_t kMaxUserNumber = 9'999'999'999;

Result<void> check(const LoadOptions& options) {
    const auto wrong = [](const char* text) { return error(Code::invalid, text); };
    if (options.campaign.empty()) return wrong("a campaign is needed: --campaign ID");
    if (options.users == 0 || options.users > kMaxUsers) return wrong("--users is 1 to 10000");
    if (options.batch == 0 || options.batch > 1000) return wrong("--batch is 1 to 1000");
    if (options.quantity == 0) return wrong("--quantity is at least 1");
    if (!(options.rate >= 0 && options.rate <= 1e7)) {
        return wrong("--rate is at most 10000000 claims/s; 0 is a closed loop");
    }
    if (!(options.repeat_fraction >= 0 && options.repeat_fraction < 1)) {
        return wrong("--repeat-fraction is at least 0 and below 1");
    }
    if (options.requests == 0 && !options.duration) {
        return wrong("give --requests or --duration: when should it end?");
    }
    if (options.users_offset > kMaxUserNumber ||
        options.requests > kMaxUserNumber - options.users_offset) {
        return wrong("users are numbered up to 9999999999");
    }
    for (const char c : options.user_prefix) {
        if (c <= ' ' || c > '~' || c == '"' || c == '\\') {
            return wrong("--user-prefix is printable ASCII without space, quote and backslash");
        }
    }
    return {};
}

void append_latency(std::string& out, const char* name, const LatencyHistogram& latency) {
    out += fmt::format("{:<12}{:>10}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n", name,
                       latency.count(), latency.percentile_ms(50), latency.percentile_ms(90),
                       latency.percentile_ms(99), latency.percentile_ms(99.9), latency.max_ms());
}

std::string latency_json(const LatencyHistogram& latency) {
    return fmt::format(
        R"({{"count":{},"p50":{:.3f},"p90":{:.3f},"p99":{:.3f},"p99.9":{:.3f},"max":{:.3f}}})",
        latency.count(), latency.percentile_ms(50), latency.percentile_ms(90),
        latency.percentile_ms(99), latency.percentile_ms(99.9), latency.max_ms());
}

double rate(std::uint64_t n, double seconds) {
    return seconds > 0 ? static_cast<double>(n) / seconds : 0;
}

}  // namespace

Result<LoadReport> run_load(Env& env, const LoadOptions& options,
                            const std::function<void(const LoadProgress&)>& progress) {
    PENSTOCK_TRY(check(options));
    auto server = resolve(options.server);
    if (!server) return std::move(server).error();
    auto history = LoadHistory::open(env.files, options);
    if (!history) return std::move(history).error();
    return LoadRun(options, progress, env, *server, std::move(*history)).run();
}

std::string to_text(const LoadReport& report) {
    std::string out = fmt::format(
        "{} answers in {:.2f} s, {:.0f}/s: {} granted ({:.0f}/s), {} refused, {} repeated, "
        "{} waiting or unknown, {} unavailable, {} broken, {} unanswered at the end\n",
        report.answered, report.seconds, rate(report.answered, report.seconds), report.granted,
        rate(report.granted, report.seconds), report.refused, report.repeated, report.waiting,
        report.unavailable, report.broken, report.unanswered);
    if (report.retries + report.reconnects > 0) {
        out += fmt::format("{} retries, {} new connections\n", report.retries, report.reconnects);
    }
    out += fmt::format("{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "latency ms", "requests",
                       "p50", "p90", "p99", "p99.9", "max");
    append_latency(out, "all", report.latency);
    append_latency(out, "granted", report.granted_latency);
    for (const auto& [status, n] : report.statuses) {
        out += fmt::format("{:<12}{:>10}\n",
                           status == 0 ? "no answer" : fmt::format("status {}", status), n);
    }
    for (const auto& [code, n] : report.codes) out += fmt::format("{:<12}{:>10}\n", code, n);
    if (report.mismatches > 0) {
        out += fmt::format("FAILED: {} repeats were told something else; the first: {}\n",
                           report.mismatches, report.first_mismatch);
    }
    return out;
}

std::string to_json(const LoadReport& report) {
    std::string out = fmt::format(
        R"({{"answered":{},"granted":{},"repeated":{},"refused":{},"waiting":{},"unavailable":{},)"
        R"("broken":{},"mismatches":{},"unanswered":{},"retries":{},"reconnects":{},"requests":{},)"
        R"("seconds":{:.3f},"answered_per_s":{:.1f},"granted_per_s":{:.1f},)"
        R"("latency_ms":{},"granted_latency_ms":{})",
        report.answered, report.granted, report.repeated, report.refused, report.waiting,
        report.unavailable, report.broken, report.mismatches, report.unanswered, report.retries,
        report.reconnects, report.requests, report.seconds, rate(report.answered, report.seconds),
        rate(report.granted, report.seconds), latency_json(report.latency),
        latency_json(report.granted_latency));
    const auto append_counts = [&](const char* name, const auto& counts) {
        out += fmt::format(",\"{}\":{{", name);
        for (const auto& [what, n] : counts) {
            if (out.back() != '{') out += ',';
            append_quoted(out, fmt::format("{}", what));
            out += fmt::format(":{}", n);
        }
        out += '}';
    };
    append_counts("statuses", report.statuses);
    append_counts("codes", report.codes);
    if (!report.first_mismatch.empty()) {
        out += ",\"first_mismatch\":";
        append_quoted(out, report.first_mismatch);
    }
    return out + '}';
}

}  // namespace penstock::load
