// Redis loses what the gate kept in it: the gate must say so and admit nobody. Each test that a
// check protects is run a second time without it, and must then find what it looks for.

#include <gtest/gtest.h>

#include <atomic>

#include "test/integration/redis_subject.h"

namespace penstock::test {
namespace {

using contract::Claim;
using contract::kSale;
using contract::spec_of;
using enum Admission;

constexpr GateGeneration kFirst{1}, kSecond{2}, kThird{3};
const Engines::Options kForgetful = {
    {"appendonly", "no"}, {"save", ""}, {"repl-diskless-sync-delay", "0"}};
const Engines::Options kRemembering = {{"appendonly", "yes"}, {"appendfsync", "always"}};

void rebuild(RedisSubject& gate, std::uint32_t quantity, GateGeneration generation,
             std::uint64_t granted) {
    ASSERT_TRUE(gate->gate().begin_rebuild(spec_of(quantity), generation));
    std::vector<Holding> holdings;
    for (std::uint64_t i = 0; i < granted; ++i) {
        holdings.push_back({contract::id_of(i), "ann", 1, true});
    }
    ASSERT_TRUE(gate->gate().load(kSale, generation, holdings));
    ASSERT_TRUE(gate->gate().open(kSale, generation));
}

/// Asks for more all the time and counts what was admitted under which generation.
class Pressure {
public:
    explicit Pressure(RedisSubject& gate) : gate_(gate) {
        task_ = system_env().executor.spawn("pressure", [this] { run(); });
    }
    ~Pressure() {
        stop_ = true;
        task_.reset();
    }
    std::int64_t admitted(GateGeneration generation) {
        return admitted_.at(generation.value()).load();
    }
    std::int64_t answered() { return answered_.load(); }

private:
    void run() {
        for (std::uint64_t id = 1'000'000'000; !stop_;) {
            std::vector<Claim> claims;
            for (int i = 0; i < 20; ++i) claims.push_back({.id = id++});
            for (const Answer& answer : gate_->ask(claims)) {
                if (answer.admission) ++answered_;
                if (!answer.admission || *answer.admission != Admission::admitted) continue;
                ++admitted_.at(answer.generation.value());
            }
        }
    }

    RedisSubject& gate_;
    std::atomic<bool> stop_ = false;
    std::atomic<std::int64_t> answered_ = 0;
    std::array<std::atomic<std::int64_t>, 32> admitted_{};
    std::unique_ptr<Task> task_;
};

TEST(RedisLoss, KilledAndRestartedEmptyUnderLoadItAdmitsNobodyUntilItIsRebuilt) {
    constexpr int kRounds = 6;
    constexpr std::uint32_t kQuantity = 1000;
    Engines engines;
    const int port = engines.start("redis", "redis", kForgetful).port;
    RedisSubject gate(port);
    rebuild(gate, kQuantity, kFirst, 0);
    Pressure pressure(gate);
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
        const GateGeneration now(round), next(round + 1);
        EXPECT_TRUE(eventually([&] { return pressure.admitted(now) > 0; }));
        const int connects = gate.witness().connects();
        if (round % 2 == 0) {
            engines.kill("redis");
            engines.restart("redis");
            ASSERT_TRUE(gate.witness().wait_connected(connects + 1));
        } else {
            Operator(port).run({"FLUSHALL"});
        }
        const std::int64_t answered = pressure.answered();
        const auto counts = [&] {
            const auto found = gate->gate().counts(kSale);
            return found ? found->open : false;
        };
        EXPECT_TRUE(eventually([&] { return pressure.answered() > answered + 40; }));
        EXPECT_FALSE(counts());
        const std::int64_t admitted = pressure.admitted(now);
        EXPECT_TRUE(eventually([&] { return pressure.answered() > answered + 400; }));
        EXPECT_EQ(pressure.admitted(now), admitted) << "admitted what it cannot know";
        EXPECT_EQ(gate->gate().begin_rebuild(spec_of(kQuantity), now).error().code, Code::fenced);
        rebuild(gate, kQuantity, next, round * 100);
        EXPECT_LE(admitted, std::int64_t{kQuantity} - static_cast<std::int64_t>(round - 1) * 100);
    }
    EXPECT_GE(gate.witness().told().size(), static_cast<std::size_t>(kRounds));
}

/// What a restart that brings the file back admits under a generation of before.
int admitted_after_restart(GateCheck without) {
    Engines engines;
    const int port = engines.start("redis", "redis", kRemembering).port;
    RedisGateOptions options = RedisSubject::options_for(port);
    options.without = without;
    RedisSubject gate(options), other(options);
    rebuild(gate, 100, kFirst, 0);
    EXPECT_EQ(gate.ask_new(30, admitted), 30);
    EXPECT_EQ(other.ask_new(1, admitted), 1);
    engines.kill("redis");
    engines.restart("redis");
    EXPECT_TRUE(gate.witness().wait_connected(2));
    EXPECT_TRUE(other.witness().wait_connected(2));
    RedisSubject fresh(options);
    return gate.ask_new(10, admitted) + other.ask_new(10, admitted) + fresh.ask_new(10, admitted);
}

TEST(RedisLoss, StateThatARestartBroughtBackIsNotTrustedByAnyProcess) {
    EXPECT_EQ(admitted_after_restart(GateCheck::none), 0);
    EXPECT_EQ(admitted_after_restart(GateCheck::run_id), 30) << "this test would not notice";
}

TEST(RedisLoss, FlushedItIsRebuildingToWhoeverKnewIt) {
    Engines engines;
    const int port = engines.start("redis", "redis", kForgetful).port;
    RedisSubject gate(port), other(port), stranger(port);
    rebuild(gate, 100, kFirst, 0);
    EXPECT_EQ(other.ask_new(5, admitted), 5);
    Operator(port).run({"FLUSHALL"});
    EXPECT_EQ(gate.ask_new(5, rebuilding), 5);
    EXPECT_EQ(other.ask_new(5, rebuilding), 5);
    EXPECT_EQ(stranger.ask_new(5, no_resource), 5) << "it never heard of it";
    EXPECT_EQ(gate->gate().load(kSale, kFirst, {}).error().code, Code::not_found);
    EXPECT_EQ(gate->gate().open(kSale, kFirst).error().code, Code::not_found);
    EXPECT_EQ(gate.witness().told(), Words{"sale: Redis does not have it any more"});
    EXPECT_EQ(other.witness().told(), Words{"sale: Redis does not have it any more"});
    rebuild(other, 100, kSecond, 5);
    EXPECT_EQ(gate.ask_new(100, admitted), 95);
}

int admitted_without_its(const std::string& field, GateCheck without) {
    Engines engines;
    const int port = engines.start("redis", "redis", kForgetful).port;
    RedisGateOptions options = RedisSubject::options_for(port);
    options.without = without;
    RedisSubject gate(options);
    gate->make(10, 1);
    EXPECT_EQ(gate->admission({.id = 1, .holder = "ann"}), admitted);
    EXPECT_EQ(Operator(port).run({"HDEL", "penstock:{sale}", field}), "1");
    const int found = gate.ask_new(1, admitted);
    if (without == GateCheck::none) {
        EXPECT_EQ(gate.witness().told(), Words{"sale: entries are missing"});
        EXPECT_EQ(RedisSubject(port).ask_new(1, rebuilding), 1) << "it is marked for all";
        EXPECT_FALSE(gate->counts().open);
    }
    return found;
}

TEST(RedisLoss, AMissingPartOfItIsNoticed) {
    const Uuid id = contract::id_of(1);
    for (const std::string& field :
         {std::string(id.bytes.begin(), id.bytes.end()), std::string("hann")}) {
        EXPECT_EQ(admitted_without_its(field, GateCheck::none), 0);
        EXPECT_EQ(admitted_without_its(field, GateCheck::whole), 1);
    }
}

TEST(RedisLoss, AServerThatMayEvictIsRefusedByTheNameOfTheSetting) {
    Engines engines;
    const int port =
        engines
            .start("redis", "redis", {{"maxmemory", "100mb"}, {"maxmemory-policy", "allkeys-lru"}})
            .port;
    Witness witness;
    RedisGateOptions options = RedisSubject::options_for(port);
    const auto refused = RedisGate::open(system_env(), options, witness);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unsafe);
    EXPECT_NE(refused.error().text.find("maxmemory-policy"), std::string::npos);
    options.any_policy = true;
    EXPECT_TRUE(RedisGate::open(system_env(), options, witness)) << "this test would not notice";
    Operator(port).run({"CONFIG", "SET", "maxmemory", "0"});
    options.any_policy = false;
    EXPECT_TRUE(RedisGate::open(system_env(), options, witness)) << "it never evicts";
}

TEST(RedisLoss, ARebuildThatARestartInterruptedIsNotOpened) {
    Engines engines;
    const int port = engines.start("redis", "redis", kRemembering).port;
    RedisSubject gate(port);
    ASSERT_TRUE(gate->gate().begin_rebuild(spec_of(10), kFirst));
    engines.kill("redis");
    engines.restart("redis");
    ASSERT_TRUE(gate.witness().wait_connected(2));
    EXPECT_EQ(gate->gate().load(kSale, kFirst, {}).error().code, Code::not_ready);
    EXPECT_EQ(gate->gate().open(kSale, kFirst).error().code, Code::not_ready);
    EXPECT_EQ(gate->gate().alter(spec_of(10)).error().code, Code::not_ready);
    EXPECT_EQ(gate.ask_new(1, rebuilding), 1);
    rebuild(gate, 10, kSecond, 0);
    EXPECT_EQ(gate.ask_new(10, admitted), 10);
}

/// A primary and its replica, and clients that are sent to one of them.
class Pair {
public:
    Pair()
        : primary_(engines_.start("redis", "primary", kForgetful)),
          replica_(engines_.start("redis", "replica", kForgetful)),
          line_(primary_.port),
          clients_(primary_.port) {
        Operator replica(replica_.port);
        replica.run({"REPLICAOF", "127.0.0.1", std::to_string(line_.port())});
        EXPECT_TRUE(eventually([&] { return replica.info("master_link_status") == "up"; }));
    }

    RedisGateOptions options(GateCheck without) {
        RedisGateOptions options = RedisSubject::options_for(clients_.port());
        options.without = without;
        return options;
    }
    void replicate_all() {
        Operator primary(primary_.port);
        primary.run({"SET", "written-last", "1"});
        EXPECT_EQ(primary.run({"WAIT", "1", "20000"}), "1");
    }
    void cut_the_line() { line_.blackhole(Way::down, true); }
    void kill_primary() { engines_.kill("primary"); }
    void promote() { Operator(replica_.port).run({"REPLICAOF", "NO", "ONE"}); }
    void send_clients_to_replica() { send_clients(replica_.port); }
    void send_clients_to_primary() { send_clients(primary_.port); }

private:
    void send_clients(int port) {
        clients_.aim(port);
        clients_.reset();
    }

    Engines engines_;
    const EngineAt primary_, replica_;
    FaultProxy line_, clients_;
};

int admitted_by_lagging_replica(GateCheck without) {
    Pair pair;
    RedisSubject gate(pair.options(without)), other(pair.options(without));
    rebuild(gate, 100, kFirst, 0);
    EXPECT_EQ(gate.ask_new(20, admitted), 20);
    pair.replicate_all();
    pair.cut_the_line();
    EXPECT_EQ(other.ask_new(80, admitted), 80);
    EXPECT_EQ(gate.ask_new(1, none_free), 1);
    pair.kill_primary();
    pair.promote();
    pair.send_clients_to_replica();
    EXPECT_TRUE(gate.witness().wait_connected(2));
    EXPECT_TRUE(other.witness().wait_connected(2));
    RedisSubject fresh(pair.options(without));
    // The one that knows nothing of before asks first.
    const int found =
        fresh.ask_new(50, admitted) + other.ask_new(50, admitted) + gate.ask_new(50, admitted);
    if (without == GateCheck::none) {
        EXPECT_EQ(gate.witness().told(), Words{": another Redis process answers"});
        EXPECT_EQ(other.witness().told(), Words{": another Redis process answers"});
        rebuild(gate, 100, kSecond, 100);
        EXPECT_EQ(other.ask_new(5, sold_out), 5);
        EXPECT_EQ(fresh.ask_new(5, sold_out), 5);
    }
    return found;
}

TEST(RedisLoss, AReplicaThatWasBehindAdmitsNobodyWhenItIsPromoted) {
    EXPECT_EQ(admitted_by_lagging_replica(GateCheck::none), 0);
    EXPECT_EQ(admitted_by_lagging_replica(GateCheck::run_id), 80) << "this test would not notice";
}

int admitted_by_returned_primary(GateCheck without) {
    Pair pair;
    RedisSubject gate(pair.options(without));
    rebuild(gate, 100, kFirst, 0);
    EXPECT_EQ(gate.ask_new(20, admitted), 20);
    pair.promote();
    pair.send_clients_to_replica();
    EXPECT_TRUE(gate.witness().wait_connected(2));
    rebuild(gate, 100, kSecond, 20);
    EXPECT_EQ(gate.ask_new(100, admitted), 80);
    pair.send_clients_to_primary();
    EXPECT_TRUE(gate.witness().wait_connected(3));
    const int found = gate.ask_new(50, admitted);
    // It was marked where it stands, so a process that never saw generation 2 refuses, too.
    if (without == GateCheck::none) {
        EXPECT_EQ(RedisSubject(pair.options(without)).ask_new(5, rebuilding), 5);
        rebuild(gate, 100, kThird, 100);
        EXPECT_EQ(gate.ask_new(1, sold_out), 1);
    }
    return found;
}

TEST(RedisLoss, AnOldPrimaryThatComesBackIsOlderThanWhatWasSeen) {
    EXPECT_EQ(admitted_by_returned_primary(GateCheck::none), 0);
    EXPECT_EQ(admitted_by_returned_primary(GateCheck::generation), 50) << "it would not notice";
}

TEST(RedisLoss, AReplicaIsRefusedAndTheGateWaitsForThePrimary) {
    Pair pair;
    RedisSubject gate(pair.options(GateCheck::none));
    rebuild(gate, 10, kFirst, 0);
    pair.replicate_all();
    const int failures = gate.witness().disconnects();
    pair.send_clients_to_replica();
    ASSERT_TRUE(gate.witness().wait_disconnected(failures + 3));
    EXPECT_EQ(gate.witness().last_error().code, Code::not_ready);
    const Answer answer = gate->ask_one({.id = 1});
    ASSERT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().effect, Effect::none);
    pair.send_clients_to_primary();
    ASSERT_TRUE(gate.witness().wait_connected(2));
    EXPECT_EQ(gate.ask_new(10, admitted), 10) << "the same process: nothing was lost";
}

}  // namespace
}  // namespace penstock::test
