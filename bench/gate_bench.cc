// Figures of the local gate on one thread, one JSON line each: decisions a second and memory.
// Usage: gate_bench [--runs N] [--small]; the figures are medians over the runs.

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "penstock/base/env.h"
#include "penstock/gate/local/local_gate.h"

namespace penstock {
namespace {

using bench::median;
using bench::require;

const ResourceId kResource("sale");
constexpr std::size_t kHolderBytes = 10;
constexpr std::size_t kDecisions = 4'000'000;

struct Options {
    int runs = 5;
    std::size_t many_users = 10'000'000;
};

class CountingSink final : public GateSink {
public:
    void answered(std::span<const Answer> answers) noexcept override {
        for (const Answer& answer : answers) {
            ++counts_[static_cast<std::size_t>(answer.admission.value())];
        }
    }
    std::uint64_t operator[](Admission admission) const {
        return counts_[static_cast<std::size_t>(admission)];
    }

private:
    std::array<std::uint64_t, 10> counts_{};
};

Uuid random_id() {
    const std::uint64_t words[2] = {system_env().random.next(), system_env().random.next()};
    Uuid id;
    std::memcpy(id.bytes.data(), words, sizeof words);
    return id;
}

/// Asks of users, each with an id of chance; made before the clock runs, and the texts lie in the
/// order of the asks, as they do when they have just been read from a socket.
class Asks {
public:
    /// One of each of `users`, in their order.
    static Asks of_all(std::size_t users) {
        return Asks(users, [](std::size_t i) { return i; });
    }
    static Asks of_random(std::size_t users, std::size_t count) {
        return Asks(count, [users](std::size_t) { return system_env().random.next() % users; });
    }
    std::span<const Ask> all() const { return asks_; }

private:
    template <class UserOf>
    Asks(std::size_t count, UserOf user_of) : names_(count * kHolderBytes) {
        asks_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            char* const name = &names_[i * kHolderBytes];
            fmt::format_to_n(name, kHolderBytes, "u{:09}", user_of(i));
            asks_.push_back({random_id(), kResource.value(), {name, kHolderBytes}, 1});
        }
    }

    std::vector<char> names_;
    std::vector<Ask> asks_;
};

ResourceSpec spec_of(bool limited) {
    ResourceSpec spec;
    spec.resource = kResource;
    spec.quantity = kMaxUnits;
    if (limited) spec.per_holder = 1;
    return spec;
}

/// This thread's own time: others on the same cores do not count.
double thread_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Decisions a second of this thread's time over all asks, `span` at a time.
double rate(LocalGate& gate, std::span<const Ask> asks, std::size_t span, GateSink& sink) {
    const double began = thread_seconds();
    for (std::size_t at = 0; at < asks.size(); at += span) {
        gate.ask(asks.subspan(at, std::min(span, asks.size() - at)), log_time(0), at, sink);
    }
    return static_cast<double>(asks.size()) / (thread_seconds() - began);
}

void print_rate(std::string_view figure, std::size_t users, std::size_t span,
                const std::vector<double>& rates) {
    fmt::print(
        "{{\"figure\":\"{}\",\"users\":{},\"span\":{},\"decisions_per_s\":{:.0f},\"runs\":{}}}\n",
        figure, users, span, median(rates), rates.size());
}

void load(LocalGate& gate, std::span<const Ask> asks) {
    std::vector<Holding> holdings;
    for (const Ask& ask : asks) holdings.push_back({ask.id, ask.holder, 1, true});
    require(gate.load(kResource, GateGeneration(1), holdings));
}

/// Claims by users that all have their unit: look-ups of a new id and of the holder.
void bench_full(const Options& options, const Asks& everybody, const Asks& asks, bool limited,
                std::string_view figure) {
    const std::size_t users = everybody.all().size();
    LocalGate gate(system_env());
    require(gate.begin_rebuild(spec_of(limited), GateGeneration(1)));
    load(gate, everybody.all());
    ResourceSpec closed = spec_of(limited);
    closed.closed = !limited;  // without a limit the answer after the id's look-up is a counter
    require(gate.alter(closed));
    require(gate.open(kResource, GateGeneration(1)));
    for (const std::size_t span : {1, 32, 296, 1000}) {
        std::vector<double> rates;
        for (int run = 0; run < options.runs; ++run) {
            CountingSink sink;
            rates.push_back(rate(gate, asks.all(), span, sink));
            const auto refused = limited ? Admission::limit_reached : Admission::closed;
            if (sink[refused] != asks.all().size()) require(error(Code::invalid, "admitted"));
        }
        print_rate(figure, users, span, rates);
    }
    fmt::print("{{\"figure\":\"{}_memory\",\"users\":{},\"bytes_per_user\":{:.1f}}}\n", figure,
               users,
               static_cast<double>(gate.memory_bytes(kResource)) / static_cast<double>(users));
}

/// Claims that are all admitted, from an empty table to one entry per user: growth is in it.
void bench_filling(const Options& options, const Asks& everybody, bool limited,
                   std::string_view figure) {
    constexpr std::size_t kSpan = 296;
    std::vector<double> rates;
    for (int run = 0; run < options.runs; ++run) {
        LocalGate gate(system_env());
        require(gate.begin_rebuild(spec_of(limited), GateGeneration(1)));
        require(gate.open(kResource, GateGeneration(1)));
        CountingSink sink;
        rates.push_back(rate(gate, everybody.all(), kSpan, sink));
        if (sink[Admission::admitted] != everybody.all().size()) {
            require(error(Code::invalid, "refused"));
        }
    }
    print_rate(figure, everybody.all().size(), kSpan, rates);
}

/// The longest single call while the table grows, in microseconds of this thread's own time: what
/// the edge would feel on a core of its own.
void bench_longest_call(const Options& options, const Asks& everybody) {
    std::vector<double> longest_us;
    for (int run = 0; run < options.runs; ++run) {
        LocalGate gate(system_env());
        require(gate.begin_rebuild(spec_of(true), GateGeneration(1)));
        require(gate.open(kResource, GateGeneration(1)));
        CountingSink sink;
        double longest = 0;
        for (const Ask& ask : everybody.all()) {
            const double began = thread_seconds();
            gate.ask({&ask, 1}, log_time(0), 0, sink);
            longest = std::max(longest, thread_seconds() - began);
        }
        longest_us.push_back(longest * 1e6);
    }
    fmt::print("{{\"figure\":\"gate_longest_call\",\"users\":{},\"microseconds\":{:.0f}}}\n",
               everybody.all().size(), median(longest_us));
}

void run(const Options& options) {
    for (const std::size_t users : {std::size_t{50'000}, options.many_users}) {
        const Asks everybody = Asks::of_all(users);
        const Asks asks = Asks::of_random(users, kDecisions);
        bench_full(options, everybody, asks, true, "gate_with_set");
        bench_filling(options, everybody, true, "gate_with_set_filling");
        bench_full(options, everybody, asks, false, "gate_counter_only");
        bench_filling(options, everybody, false, "gate_counter_only_filling");
        bench_longest_call(options, everybody);
    }
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
    penstock::Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--small") {
            options.many_users = 200'000;
        } else if (word == "--runs" && i + 1 < argc) {
            options.runs = std::max(1, std::atoi(argv[++i]));
        } else {
            fmt::print(stderr, "usage: gate_bench [--runs N] [--small]\n");
            return 2;
        }
    }
    penstock::run(options);
    return 0;
}
