// Figures of the Redis gate against a real server on this machine, one JSON line each: claims a
// second that are all admitted, each by another holder with a limit of one unit; many in one call
// of the script, and one call each. Beside them, in the same run, a short script that a
// program could send by hand, pipelined as deep: no generation, no reservations, no checks.
// Usage: redis_bench [--runs N] [--small]; the figures are medians over the runs.

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "penstock/base/guarded.h"
#include "penstock/gate/redis/link.h"
#include "penstock/gate/redis/redis_gate.h"
#include "test/kit/engines.h"

namespace penstock {
namespace {

using bench::give_up;
using bench::median;
using bench::require;
using bench::seconds_since;

const ResourceId kResource("sale");
constexpr std::size_t kTick = 1000;  ///< claims that come together
constexpr std::size_t kTicksInFlight = 4;
constexpr std::size_t kCallsInFlight = 64;  ///< one claim each

struct Options {
    int runs = 5;
    std::size_t claims = 300'000;
};

class QuietObserver final : public RedisGateObserver {
public:
    void rebuild_needed(std::string_view, std::string_view why) noexcept override {
        give_up(std::string(why));
    }
    void settlements_dropped(std::string_view, std::string_view why) noexcept override {
        give_up(std::string(why));
    }
};

/// Claims of as many holders, made before the clock runs.
class Claims {
public:
    explicit Claims(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) names_.push_back(fmt::format("u{:09}", i));
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t words[2] = {system_env().random.next(), system_env().random.next()};
            Ask ask{{}, kResource.value(), names_[i], 1};
            std::memcpy(ask.id.bytes.data(), words, sizeof words);
            asks_.push_back(ask);
        }
    }
    std::span<const Ask> all() const { return asks_; }

private:
    std::vector<std::string> names_;
    std::vector<Ask> asks_;
};

/// Keeps so many claims under way and counts the admitted. Threads: answered() the gate's.
class Crowd final : public GateSink {
public:
    void answered(std::span<const Answer> answers) noexcept override {
        for (const Answer& answer : answers) {
            if (!answer.admission) give_up(answer.admission.error().text);
            if (*answer.admission != Admission::admitted) give_up("a claim was refused");
        }
        // Notified under the lock: whoever sees the last answer may end this sink.
        const MutexLock lock(mutex_);
        done_ += answers.size();
        wake_->notify();
    }

    void claim_all(Gate& gate, std::span<const Ask> asks, std::size_t together,
                   std::size_t under_way) {
        for (std::size_t at = 0; at < asks.size(); at += together) {
            while (at - done() >= under_way * together) wake_->wait_until(kNever);
            gate.ask(asks.subspan(at, std::min(together, asks.size() - at)), log_time(0), at,
                     *this);
        }
        while (done() < asks.size()) wake_->wait_until(kNever);
    }

private:
    std::size_t done() {
        const MutexLock lock(mutex_);
        return done_;
    }

    Mutex mutex_;
    std::size_t done_ GUARDED_BY(mutex_) = 0;
    const std::unique_ptr<Wake> wake_ = system_env().executor.make_wake();
};

struct FreeContext {
    void operator()(redisContext* context) const { ::redisFree(context); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;

Context connected(int port) {
    Context context(::redisConnect("127.0.0.1", port));
    if (context == nullptr || context->err != 0) give_up("no connection to Redis");
    return context;
}

/// Processor time of the server's main thread and of this process, in seconds.
class Meter {
public:
    explicit Meter(int port) : context_(connected(port)) {}

    double server() {
        const Reply info(static_cast<redisReply*>(::redisCommand(context_.get(), "INFO cpu")));
        if (info == nullptr || info->type != REDIS_REPLY_STRING) give_up("no INFO");
        const std::string text(info->str, info->len);
        return field(text, "used_cpu_user_main_thread:") + field(text, "used_cpu_sys_main_thread:");
    }
    static double client() {
        timespec now{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
    }

private:
    static double field(const std::string& text, const std::string& name) {
        const std::size_t at = text.find(name);
        if (at == std::string::npos) give_up("no " + name + " in INFO");
        return std::atof(text.c_str() + at + name.size());
    }

    const Context context_;
};

struct Figures {
    double claims_per_s = 0;
    double server_us = 0, client_us = 0;  ///< processor time for a claim
};

Figures measure(std::size_t claims, Meter& meter, const std::function<void()>& work) {
    const double server = meter.server(), client = Meter::client();
    const MonoTime began = system_env().clock.mono();
    work();
    const double took = seconds_since(began);
    const auto count = static_cast<double>(claims);
    return {count / took, (meter.server() - server) * 1e6 / count,
            (Meter::client() - client) * 1e6 / count};
}

Figures of_gate(RedisGateOptions options, Meter& meter, const Claims& claims, bool one_call_each) {
    QuietObserver observer;
    if (one_call_each) {
        options.claims_per_call = 1;
        options.calls_in_flight = kCallsInFlight;
    }
    const auto gate = require(RedisGate::open(system_env(), options, observer));
    ResourceSpec spec;
    spec.resource = kResource;
    spec.quantity = kMaxUnits;
    spec.per_holder = 1;
    require(gate->begin_rebuild(spec, GateGeneration(1)));
    require(gate->open(kResource, GateGeneration(1)));
    Crowd crowd;
    const Figures figures = measure(claims.all().size(), meter, [&] {
        crowd.claim_all(*gate, claims.all(), one_call_each ? 1 : kTick,
                        one_call_each ? kCallsInFlight : kTicksInFlight);
    });
    if (require(gate->counts(kResource)).reserved != claims.all().size())
        give_up("a claim is lost");
    require(gate->drop(kResource));
    return figures;
}

/// A connection that sends the bare script and waits.
class Bare {
public:
    explicit Bare(int port) : context_(connected(port)) {
        append({"SCRIPT", "LOAD", kScript});
        sha_ = reply();
    }

    Figures run(Meter& meter, const Claims& claims, std::size_t together, std::size_t under_way) {
        append({"DEL", "bare:left", "bare:ids", "bare:holders"});
        reply();
        std::size_t waiting = 0;
        const auto asks = claims.all();
        return measure(asks.size(), meter, [&] {
            for (std::size_t at = 0; at < asks.size(); at += together) {
                if (waiting == under_way) {
                    reply();
                    --waiting;
                }
                call(asks.subspan(at, std::min(together, asks.size() - at)));
                ++waiting;
                flush();
            }
            for (; waiting > 0; --waiting) reply();
        });
    }

private:
    static constexpr std::string_view kScript =
        "local left = tonumber(redis.call('GET', KEYS[1]) or 2147483647) "
        "local answers = {} "
        "for i = 1, #ARGV, 2 do "
        "  if left > 0 and redis.call('HSETNX', KEYS[3], ARGV[i + 1], 1) == 1 then "
        "    redis.call('HSET', KEYS[2], ARGV[i], 1) "
        "    left = left - 1 "
        "    answers[#answers + 1] = 1 "
        "  else answers[#answers + 1] = 0 end "
        "end "
        "redis.call('SET', KEYS[1], left) "
        "return answers";

    void append(const std::vector<std::string_view>& words) {
        std::vector<const char*> texts;
        std::vector<std::size_t> sizes;
        for (const std::string_view word : words) {
            texts.push_back(word.data());
            sizes.push_back(word.size());
        }
        ::redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(),
                                 sizes.data());
    }
    void flush() {
        int done = 0;
        while (done == 0) ::redisBufferWrite(context_.get(), &done);
    }
    std::string reply() {
        void* raw = nullptr;
        if (::redisGetReply(context_.get(), &raw) != REDIS_OK) give_up(context_->errstr);
        const Reply reply(static_cast<redisReply*>(raw));
        if (reply->type == REDIS_REPLY_ERROR) give_up(reply->str);
        return reply->str == nullptr ? "" : std::string(reply->str, reply->len);
    }
    void call(std::span<const Ask> asks) {
        std::vector<std::string_view> words = {"EVALSHA",   sha_,       "3",
                                               "bare:left", "bare:ids", "bare:holders"};
        for (const Ask& ask : asks) {
            words.emplace_back(reinterpret_cast<const char*>(ask.id.bytes.data()),
                               ask.id.bytes.size());
            words.push_back(ask.holder);
        }
        append(words);
    }

    const Context context_;
    std::string sha_;
};

/// The middle run of each value.
struct Runs {
    std::vector<Figures> all;

    template <class Value>
    double median(Value&& value) const {
        std::vector<double> values;
        for (const Figures& figures : all) values.push_back(value(figures));
        return bench::median(std::move(values));
    }
    std::string shown() const {
        return fmt::format("\"claims_per_s\":{:.0f},\"server_us\":{:.2f},\"client_us\":{:.2f}",
                           median([](const Figures& figures) { return figures.claims_per_s; }),
                           median([](const Figures& figures) { return figures.server_us; }),
                           median([](const Figures& figures) { return figures.client_us; }));
    }
};

void run(const Options& options) {
    test::Engines engines;
    const test::EngineAt server =
        engines.start("redis", "redis", {{"appendonly", "no"}, {"save", ""}});
    RedisGateOptions gate;
    gate.url = server.url;
    Bare bare(server.port);
    Meter meter(server.port);
    const Claims claims(options.claims);
    for (const bool one_call_each : {false, true}) {
        Runs ours, bares;
        std::vector<double> ratios;
        for (int i = 0; i < options.runs; ++i) {
            bares.all.push_back(bare.run(meter, claims, one_call_each ? 1 : kTick,
                                         one_call_each ? kCallsInFlight : kTicksInFlight));
            ours.all.push_back(of_gate(gate, meter, claims, one_call_each));
            ratios.push_back(ours.all.back().claims_per_s / bares.all.back().claims_per_s);
        }
        const std::string_view what = one_call_each ? "one_call_each" : "one_tick";
        fmt::print("{{\"figure\":\"redis_gate_{}\",{},\"of_bare\":{:.2f},\"runs\":{}}}\n", what,
                   ours.shown(), median(ratios), options.runs);
        fmt::print("{{\"figure\":\"redis_bare_script_{}\",{},\"runs\":{}}}\n", what, bares.shown(),
                   options.runs);
    }
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
    penstock::Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--small") {
            options.claims = 20'000;
        } else if (word == "--runs" && i + 1 < argc) {
            options.runs = std::max(1, std::atoi(argv[++i]));
        } else {
            fmt::print(stderr, "usage: redis_bench [--runs N] [--small]\n");
            return 2;
        }
    }
    penstock::run(options);
    return 0;
}
