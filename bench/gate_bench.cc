// Figures of the local gate on one thread, one JSON line each: decisions a second and memory.
// Usage: gate_bench [--runs N] [--small]; the figures are medians over the runs.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/gate/local/local_gate.h"

namespace penstock {
namespace {

const ResourceId kResource("sale");
constexpr std::size_t kHolderBytes = 10;
constexpr std::size_t kDecisions = 4'000'000;

struct Options {
    int runs = 5;
    std::size_t many_users = 10'000'000;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void require(const Result<void>& result) {
    if (result) return;
    fmt::print(stderr, "gate_bench: {}\n", result.error().text);
    std::exit(1);
}

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

/// Texts and ids of users in an order of chance, made before the clock runs.
class Population {
public:
    Population(std::size_t users, std::size_t asks) : users_(users), names_(users * kHolderBytes) {
        for (std::size_t user = 0; user < users; ++user) {
            const std::string name = fmt::format("u{:09}", user);
            std::memcpy(&names_[user * kHolderBytes], name.data(), kHolderBytes);
        }
        asks_.reserve(asks);
        for (std::size_t i = 0; i < asks; ++i) asks_.push_back(ask(random_user()));
    }

    /// `id` of chance, as a client makes it.
    Ask ask(std::size_t user) const {
        Ask ask{{}, kResource.value(), {&names_[user * kHolderBytes], kHolderBytes}, 1};
        const std::uint64_t words[2] = {system_env().random.next(), system_env().random.next()};
        std::memcpy(ask.id.bytes.data(), words, sizeof words);
        return ask;
    }
    std::size_t random_user() const { return system_env().random.next() % users_; }
    std::span<const Ask> asks() const { return asks_; }
    std::size_t users() const { return users_; }

private:
    const std::size_t users_;
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

/// Decisions a second over all asks, `span` at a time.
double rate(LocalGate& gate, std::span<const Ask> asks, std::size_t span, GateSink& sink) {
    const MonoTime began = system_env().clock.mono();
    for (std::size_t at = 0; at < asks.size(); at += span) {
        gate.ask(asks.subspan(at, std::min(span, asks.size() - at)), log_time(0), at, sink);
    }
    const std::chrono::duration<double> took = system_env().clock.mono() - began;
    return static_cast<double>(asks.size()) / took.count();
}

void print_rate(std::string_view figure, std::size_t users, std::size_t span,
                const std::vector<double>& rates) {
    fmt::print(
        "{{\"figure\":\"{}\",\"users\":{},\"span\":{},\"decisions_per_s\":{:.0f},\"runs\":{}}}\n",
        figure, users, span, median(rates), rates.size());
}

void load(LocalGate& gate, const Population& people) {
    std::vector<Holding> holdings;
    for (std::size_t user = 0; user < people.users(); ++user) {
        const Ask ask = people.ask(user);
        holdings.push_back({ask.id, ask.holder, 1, true});
        if (holdings.size() < 1000 && user + 1 < people.users()) continue;
        require(gate.load(kResource, GateGeneration(1), holdings));
        holdings.clear();
    }
}

/// Claims by users that all have their unit: look-ups of a new id and of the holder.
void bench_full(const Options& options, const Population& people, bool limited,
                std::string_view figure) {
    LocalGate gate(system_env());
    require(gate.begin_rebuild(spec_of(limited), GateGeneration(1)));
    load(gate, people);
    ResourceSpec closed = spec_of(limited);
    closed.closed = !limited;  // without a limit the answer after the id's look-up is a counter
    require(gate.alter(closed));
    require(gate.open(kResource, GateGeneration(1)));
    for (const std::size_t span : {1, 32, 296, 1000}) {
        std::vector<double> rates;
        for (int run = 0; run < options.runs; ++run) {
            CountingSink sink;
            rates.push_back(rate(gate, people.asks(), span, sink));
            const auto refused = limited ? Admission::limit_reached : Admission::closed;
            if (sink[refused] != people.asks().size()) require(error(Code::invalid, "admitted"));
        }
        print_rate(figure, people.users(), span, rates);
    }
    fmt::print(
        "{{\"figure\":\"{}_memory\",\"users\":{},\"bytes_per_entry\":{:.1f}}}\n", figure,
        people.users(),
        static_cast<double>(gate.memory_bytes(kResource)) / static_cast<double>(people.users()));
}

/// Claims that are all admitted, from an empty table to one entry per user: growth is in it.
void bench_filling(const Options& options, const Population& people, bool limited,
                   std::string_view figure) {
    std::vector<Ask> asks;
    asks.reserve(people.users());
    for (std::size_t user = 0; user < people.users(); ++user) asks.push_back(people.ask(user));
    for (std::size_t i = asks.size(); i > 1; --i) {
        std::swap(asks[i - 1], asks[system_env().random.next() % i]);
    }
    constexpr std::size_t kSpan = 296;
    std::vector<double> rates;
    for (int run = 0; run < options.runs; ++run) {
        LocalGate gate(system_env());
        require(gate.begin_rebuild(spec_of(limited), GateGeneration(1)));
        require(gate.open(kResource, GateGeneration(1)));
        CountingSink sink;
        rates.push_back(rate(gate, asks, kSpan, sink));
        if (sink[Admission::admitted] != asks.size()) require(error(Code::invalid, "refused"));
    }
    print_rate(figure, people.users(), kSpan, rates);
}

/// The longest single call while the table grows, in microseconds: what the edge would feel.
void bench_longest_call(const Options& options, const Population& people) {
    std::vector<double> longest_us;
    for (int run = 0; run < options.runs; ++run) {
        LocalGate gate(system_env());
        require(gate.begin_rebuild(spec_of(true), GateGeneration(1)));
        require(gate.open(kResource, GateGeneration(1)));
        CountingSink sink;
        std::chrono::nanoseconds longest{0};
        for (std::size_t user = 0; user < people.users(); ++user) {
            const Ask ask = people.ask(user);
            const MonoTime began = system_env().clock.mono();
            gate.ask({&ask, 1}, log_time(0), 0, sink);
            longest = std::max(longest, system_env().clock.mono() - began);
        }
        longest_us.push_back(static_cast<double>(longest.count()) / 1000);
    }
    fmt::print("{{\"figure\":\"gate_longest_call\",\"users\":{},\"microseconds\":{:.0f}}}\n",
               people.users(), median(longest_us));
}

void run(const Options& options) {
    for (const std::size_t users : {std::size_t{50'000}, options.many_users}) {
        const Population people(users, kDecisions);
        bench_full(options, people, true, "gate_with_set");
        bench_filling(options, people, true, "gate_with_set_filling");
        bench_full(options, people, false, "gate_counter_only");
        bench_filling(options, people, false, "gate_counter_only_filling");
        bench_longest_call(options, people);
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
