// Replies that are lost, keys that are not ours, a server without memory: what the gate holds is
// the same afterwards, and each command id has its units once.

#include <gtest/gtest.h>

#include <random>

#include "test/integration/redis_subject.h"
#include "test/kit/seed.h"

namespace penstock::test {
namespace {

using contract::Claim;
using contract::kSale;
using contract::spec_of;
using enum Admission;

constexpr GateGeneration kFirst{1}, kLoading{2};
const Engines::Options kForgetful = {
    {"appendonly", "no"}, {"save", ""}, {"enable-debug-command", "yes"}};

/// A server, a proxy before it, and a gate behind the proxy with a sale of 1,000.
class RedisFault : public testing::Test {
protected:
    RedisFault() : server_(engines_.start("redis", "redis", kForgetful)), proxy_(server_.port) {}

    RedisGateOptions options(GateCheck without = GateCheck::none) {
        RedisGateOptions options = RedisSubject::options_for(proxy_.port());
        options.without = without;
        return options;
    }

    Engines engines_;
    const EngineAt server_;
    FaultProxy proxy_;
};

/// Units reserved for as many ids, of whose replies some were swallowed.
std::uint64_t reserved_for_one_id(FaultProxy& proxy, const RedisGateOptions& options) {
    RedisSubject gate(options);
    gate->make(1000);
    const std::uint64_t swallowed = proxy.swallowed();
    proxy.swallow_reply("EVALSHA");
    const Answer answer = gate->ask_one({.id = 1});
    EXPECT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().effect, Effect::unknown);
    EXPECT_EQ(answer.admission.error().code, Code::unreachable);
    EXPECT_TRUE(proxy.wait_swallowed(swallowed + 1));
    const Admission second = gate.ask_until_answered({.id = 1});
    EXPECT_EQ(second, options.without == GateCheck::again ? admitted : again);
    return gate->counts().reserved;
}

TEST_F(RedisFault, AnIdWhoseReplyWasLostGetsAgainAndOnePlace) {
    EXPECT_EQ(reserved_for_one_id(proxy_, options()), 1u);
    RedisGateOptions planted = options(GateCheck::again);
    planted.prefix = "planted:";
    EXPECT_EQ(reserved_for_one_id(proxy_, planted), 2u) << "this test would not notice";
}

TEST_F(RedisFault, EachIdHasItsUnitsOnceHoweverManyRepliesAreLost) {
    const Seed seed;
    std::mt19937_64 chance(seed.value());
    RedisSubject gate(options());
    gate->make(1000);
    std::uint64_t granted = 0, open = 0;
    for (std::uint64_t id = 0; id < 200; ++id) {
        if (chance() % 10 == 0) proxy_.swallow_reply("EVALSHA");
        const Answer first = gate->ask_one({.id = id});
        const Admission last =
            first.admission ? *first.admission : gate.ask_until_answered({.id = id});
        EXPECT_TRUE(last == admitted || (last == again && !first.admission)) << to_string(last);
        if (chance() % 10 == 0) proxy_.swallow_reply("EVALSHA");
        switch (chance() % 3) {
            case 0:
                gate->settle({.id = id}, true);
                ++granted;
                break;
            case 1:
                gate->settle({.id = id}, false);
                break;
            default:
                ++open;
        }
    }
    proxy_.swallow_reply("", 0);
    Operator(server_.port).run({"SCRIPT", "FLUSH"});
    EXPECT_TRUE(eventually([&] {
        const auto counts = gate->gate().counts(kSale);
        return counts && counts->granted == granted && counts->reserved == open;
    })) << "granted "
        << granted << ", reserved " << open;
    EXPECT_GT(proxy_.swallowed(), 0u);
    EXPECT_TRUE(gate.witness().told().empty());
}

TEST_F(RedisFault, ARequestThatNeverArrivedTookNothing) {
    RedisSubject gate(options());
    gate->make(10);
    proxy_.cut_before("EVALSHA");
    const Answer answer = gate->ask_one({.id = 1});
    ASSERT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().effect, Effect::unknown) << "nobody can know";
    EXPECT_EQ(gate.ask_until_answered({.id = 1}), admitted);
    EXPECT_EQ(gate->counts().reserved, 1u);
}

/// Units reserved after a rebuild by an ask that was on its way before, on a connection that the
/// gate has given up. `first_of_its_gate`: the gate had not seen the sale before.
std::uint64_t reserved_by_a_late_ask(int server_port, RedisGateOptions options,
                                     bool first_of_its_gate) {
    FaultProxy late(server_port), front(late.port());
    options.url = RedisSubject::options_for(front.port()).url;
    options.reply_timeout = std::chrono::milliseconds(200);
    RedisSubject gate(options);
    options.url = RedisSubject::options_for(server_port).url;
    RedisSubject other(options);
    other->make(10);
    if (!first_of_its_gate) {
        EXPECT_EQ(gate->admission({.id = 1}), admitted);
    }
    late.blackhole(Way::up, true);
    front.aim(server_port);
    const Answer answer = gate->ask_one({.id = 2});
    EXPECT_FALSE(answer.admission);
    EXPECT_TRUE(gate.witness().wait_connected(2));
    EXPECT_TRUE(other->gate().begin_rebuild(spec_of(10), kLoading));
    EXPECT_TRUE(other->gate().open(kSale, kLoading));
    late.blackhole(Way::up, false);
    Operator redis(server_port);  // itself and the two gates stay
    EXPECT_TRUE(eventually([&] { return redis.info("connected_clients") == "3"; }));
    const std::uint64_t reserved = other->counts().reserved;
    EXPECT_EQ(gate->admission({.id = 3}), admitted) << "it learns the generation by itself";
    return reserved;
}

TEST_F(RedisFault, AnAskThatComesAfterARebuildTakesNothing) {
    for (const bool first_of_its_gate : {false, true}) {
        SCOPED_TRACE(first_of_its_gate);
        RedisGateOptions sound = options(), planted = options(GateCheck::current);
        sound.prefix = first_of_its_gate ? "first:" : "later:";
        planted.prefix = "planted:" + sound.prefix;
        EXPECT_EQ(reserved_by_a_late_ask(server_.port, sound, first_of_its_gate), 0u);
        EXPECT_EQ(reserved_by_a_late_ask(server_.port, planted, first_of_its_gate), 1u)
            << "this test would not notice";
    }
}

TEST_F(RedisFault, SettlementsWaitForTheConnectionAndAsksDoNot) {
    RedisSubject gate(options());
    gate->make(10);
    EXPECT_EQ(gate->admissions({{.id = 1}, {.id = 2}, {.id = 3}}),
              (std::vector{admitted, admitted, admitted}));
    proxy_.refuse(true);
    proxy_.reset();
    ASSERT_TRUE(gate.witness().wait_disconnected(1));
    const Answer answer = gate->ask_one({.id = 4});
    ASSERT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().code, Code::unreachable);
    EXPECT_EQ(answer.admission.error().effect, Effect::none);
    EXPECT_EQ(gate->gate().counts(kSale).error().code, Code::unreachable);
    gate->settle({.id = 1}, true);
    gate->settle({.id = 2}, false);
    gate->settle({.id = 2}, false);
    proxy_.refuse(false);
    ASSERT_TRUE(gate.witness().wait_connected(2));
    EXPECT_EQ(gate.ask_until_answered({.id = 5}), admitted);
    EXPECT_EQ(gate->counts().granted, 1u);
    EXPECT_EQ(gate->counts().reserved, 2u);
    EXPECT_TRUE(gate.witness().told().empty()) << "the server never lost anything";
}

TEST_F(RedisFault, SettlementsBeyondTheLimitAreDroppedAndARebuildIsAskedFor) {
    RedisGateOptions small = options();
    small.most_settled = 3;
    RedisSubject gate(small);
    gate->make(10);
    proxy_.refuse(true);
    proxy_.reset();
    ASSERT_TRUE(gate.witness().wait_disconnected(1));
    for (std::uint64_t id = 1; id <= 5; ++id) gate->settle({.id = id}, true);
    proxy_.refuse(false);
    ASSERT_TRUE(gate.witness().wait_connected(2));
    EXPECT_TRUE(eventually([&] {
        const auto counts = gate->gate().counts(kSale);
        return counts && counts->granted == 3;
    }));
    EXPECT_EQ(gate.witness().told_dropped().size(), 1u);
    EXPECT_TRUE(gate.witness().told().empty()) << "what Redis has is whole";
}

TEST_F(RedisFault, APausedServerIsGivenUpAndTakenBackWithoutARebuild) {
    RedisGateOptions hasty = options();
    hasty.reply_timeout = hasty.connect_timeout = std::chrono::milliseconds(200);
    RedisSubject gate(hasty);
    gate->make(10);
    engines_.pause("redis");
    const Answer answer = gate->ask_one({.id = 1});
    ASSERT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().effect, Effect::unknown);
    ASSERT_TRUE(gate.witness().wait_disconnected(2)) << "the next connection is given up, too";
    EXPECT_EQ(gate->ask_one({.id = 2}).admission.error().effect, Effect::none);
    engines_.resume("redis");
    const Admission last = gate.ask_until_answered({.id = 1});
    EXPECT_TRUE(last == admitted || last == again) << to_string(last);
    EXPECT_EQ(gate->counts().reserved, 1u);
    EXPECT_TRUE(gate.witness().told().empty());
}

TEST_F(RedisFault, AFullQueueIsOverloadedAtOnceAndGoesOnWhenItHasRoom) {
    RedisGateOptions small = options();
    small.most_asks = 10;
    RedisSubject gate(small);
    gate->make(100);
    proxy_.blackhole(Way::down, true);
    std::vector<Ask> asks(10, Ask{contract::id_of(1), kSale.value(), "ann", 1});
    contract::AnswerSink waiting(system_env(), 0, asks.size()), full(system_env(), 10, 1);
    gate->gate().ask(asks, contract::kNow, 0, waiting);
    gate->gate().ask({asks.data(), 1}, contract::kNow, 10, full);
    EXPECT_EQ(full.wait()[0].admission.error().code, Code::overloaded);
    proxy_.blackhole(Way::down, false);
    EXPECT_EQ(waiting.wait()[0].admission.value(), admitted);
    EXPECT_EQ(gate->admission({.id = 2}), admitted);
}

/// Every way to ask the gate of the sale something, under a fresh id; its errors.
std::vector<Error> try_everything(RedisSubject& gate, GateGeneration generation) {
    std::vector<Error> errors;
    const auto note = [&](const auto& result) {
        if (!result) errors.push_back(result.error());
    };
    note(gate->ask_one({.id = 77}).admission);
    gate->settle({.id = 77}, true);
    gate->settle({.id = 78}, false);
    const Holding holding{contract::id_of(79), "bob", 1, true};
    note(gate->gate().load(kSale, generation, {&holding, 1}));
    note(gate->gate().begin_rebuild(spec_of(5), GateGeneration(9)));
    note(gate->gate().open(kSale, generation));
    note(gate->gate().alter(spec_of(1000, 5)));
    note(gate->gate().counts(kSale));
    note(gate->gate().drop(kSale));
    return errors;
}

TEST_F(RedisFault, ForeignDataUnderAnyOfItsKeysIsNamedAndStaysUntouched) {
    Operator redis(server_.port);
    const std::vector<std::pair<std::string, Words>> foreign = {
        {"", {"LPUSH", "", "theirs"}},       {"", {"SET", "", "theirs"}},
        {"", {"HSET", "", "field", "1"}},    {"", {"HSET", "", "s", "1"}},
        {":back", {"ZADD", "", "1", "one"}}, {":back", {"SET", "", "theirs"}}};
    for (const auto& [part, words] : foreign) {
        RedisSubject gate(options());
        redis.run({"FLUSHALL"});
        gate->make(1000, 5);
        if (part == ":back") {
            ASSERT_TRUE(gate->gate().begin_rebuild(spec_of(1000, 5), kLoading));
        }
        const std::string key = "penstock:{sale}" + part;
        SCOPED_TRACE(key + " " + words[0]);
        Words plant = words;
        plant[1] = key;
        if (words[0] != "HSET" || words[2] != "s") redis.run({"DEL", key});
        redis.run(plant);
        const std::string before = redis.dump("penstock:");
        const std::vector<Error> errors = try_everything(gate, part.empty() ? kFirst : kLoading);
        EXPECT_EQ(errors.size(), 7u);
        for (const Error& error : errors) {
            EXPECT_EQ(error.code, Code::unsafe) << error.text;
            EXPECT_EQ(error.effect, Effect::none);
            EXPECT_NE(error.text.find(key), std::string::npos) << error.text;
        }
        EXPECT_EQ(redis.dump("penstock:"), before);
    }
}

TEST_F(RedisFault, WithoutTheCheckOfTypesItWouldDestroyForeignData) {
    Operator redis(server_.port);
    redis.run({"HSET", "penstock:{sale}", "theirs", "1"});
    const std::string before = redis.dump("penstock:");
    RedisSubject sound(options()), planted(options(GateCheck::types));
    EXPECT_EQ(sound->gate().begin_rebuild(spec_of(5), GateGeneration(1)).error().code,
              Code::unsafe);
    EXPECT_EQ(redis.dump("penstock:"), before);
    EXPECT_TRUE(planted->gate().begin_rebuild(spec_of(5), GateGeneration(1)));
    EXPECT_EQ(redis.run({"HEXISTS", "penstock:{sale}", "theirs"}), "0") << "it would not notice";
}

TEST_F(RedisFault, WithoutMemoryItChangesNothingAndSettlesWhenThereIsSome) {
    Operator redis(server_.port);
    RedisSubject gate(options());
    gate->make(1000, 5);
    EXPECT_EQ(gate->admissions({{.id = 1}, {.id = 2}, {.id = 3}}),
              (std::vector{admitted, admitted, admitted}));
    redis.run({"CONFIG", "SET", "maxmemory", "1"});
    const std::string before = redis.dump("penstock:");
    const Answer answer = gate->ask_one({.id = 4, .holder = "bob"});
    ASSERT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().code, Code::no_space);
    EXPECT_EQ(answer.admission.error().effect, Effect::none);
    EXPECT_EQ(gate->gate().alter(spec_of(1000, 5)).error().code, Code::no_space);
    EXPECT_EQ(gate->admission({.id = 1}), again) << "nothing to write";
    gate->settle({.id = 2}, true);
    EXPECT_EQ(gate->counts().granted, 0u);
    EXPECT_EQ(redis.dump("penstock:"), before);
    redis.run({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_TRUE(eventually([&] { return gate->counts().granted == 1; }));
    EXPECT_EQ(gate->counts().reserved, 2u);
    EXPECT_EQ(gate->admission({.id = 4, .holder = "bob"}), admitted);
    redis.run({"CONFIG", "SET", "maxmemory", "1"});
    EXPECT_TRUE(gate->gate().begin_rebuild(spec_of(5), kLoading)) << "it makes room";
    const Holding holding{contract::id_of(1), "ann", 1, true};
    EXPECT_EQ(gate->gate().load(kSale, kLoading, {&holding, 1}).error().code, Code::no_space);
    EXPECT_EQ(gate->counts().granted, 0u);
}

TEST_F(RedisFault, BehindAnEndlessScriptOfSomebodyElseItIsNotReadyAndLosesNothing) {
    Operator redis(server_.port);
    redis.run({"CONFIG", "SET", "lua-time-limit", "1"});
    RedisSubject gate(options());
    gate->make(10);
    EXPECT_EQ(gate->admission({.id = 1}), admitted);
    const auto stuck = system_env().executor.spawn("stuck", [this] {
        Operator(server_.port).run({"EVAL", "while true do end", "0"});
    });
    Answer answer = gate->ask_one({.id = 2});
    while (answer.admission && *answer.admission != Admission::none_free) {
        answer = gate->ask_one({.id = 2});  // until the script holds the server
    }
    ASSERT_FALSE(answer.admission);
    EXPECT_EQ(answer.admission.error().code, Code::not_ready);
    EXPECT_EQ(answer.admission.error().effect, Effect::none);
    gate->settle({.id = 1}, true);
    EXPECT_EQ(redis.run({"SCRIPT", "KILL"}), "OK");
    EXPECT_TRUE(eventually([&] {
        const auto counts = gate->gate().counts(kSale);
        return counts && counts->granted == 1;
    }));
    EXPECT_LE(gate->counts().reserved, 1u);
}

TEST_F(RedisFault, FlushedScriptsAreLoadedAgain) {
    Operator redis(server_.port);
    RedisSubject gate(options());
    gate->make(10);
    redis.run({"SCRIPT", "FLUSH"});
    EXPECT_EQ(gate.ask_new(3, admitted), 3);
    EXPECT_EQ(gate->counts().reserved, 3u);
    redis.run({"SCRIPT", "FLUSH"});
    EXPECT_EQ(gate->counts().reserved, 3u);
}

TEST_F(RedisFault, NoNameLeavesItsHashTagOrMeetsAnother) {
    RedisSubject gate(options());
    const Words names = {"a",     "a}", "{a}", "a%7D", "A", "ä", "a b", std::string("a\0", 2),
                         "a:back"};
    for (const std::string& name : names) {
        const ResourceId resource(name);
        gate->make(spec_of(2, std::nullopt, resource));
        EXPECT_EQ(gate->admission({.id = 1, .resource = name}), admitted) << name;
    }
    for (const std::string& name : names) EXPECT_EQ(gate->counts(ResourceId(name)).reserved, 1u);
    EXPECT_EQ(Operator(server_.port).run({"DBSIZE"}), std::to_string(names.size()));
}

}  // namespace
}  // namespace penstock::test
