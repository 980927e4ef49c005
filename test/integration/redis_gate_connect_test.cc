// Addresses, passwords and servers that are wrong: a message at the start, no crash, no password.

#include <gtest/gtest.h>

#include "test/integration/redis_subject.h"

namespace penstock::test {
namespace {

using enum Admission;

Error error_at(const std::string& url) {
    Witness witness;
    RedisGateOptions options;
    options.url = url;
    options.connect_timeout = std::chrono::milliseconds(500);
    const auto gate = RedisGate::open(system_env(), options, witness);
    return gate ? error(Code::exists, "it opened") : gate.error();
}

std::string at(int port, const std::string& login = "") {
    return "redis://" + login + "127.0.0.1:" + std::to_string(port);
}

TEST(RedisConnect, AWrongAddressIsToldAtTheStart) {
    const Error nobody = error_at(at(free_port()));
    EXPECT_EQ(nobody.code, Code::unreachable);
    EXPECT_NE(nobody.text.find("refused"), std::string::npos) << nobody.text;
    EXPECT_EQ(error_at("redis://no-such-host.invalid").code, Code::unreachable);
    EXPECT_EQ(error_at("http://127.0.0.1").code, Code::invalid);
    Witness witness;
    RedisGateOptions braces;
    braces.prefix = "{penstock}:";
    EXPECT_EQ(RedisGate::open(system_env(), braces, witness).error().code, Code::invalid);
}

TEST(RedisConnect, AServerThatSaysNothingIsGivenUp) {
    Engines engines;
    const int port = engines.start("redis", "redis").port;
    FaultProxy proxy(port);
    proxy.blackhole(Way::down, true);
    const Error silent = error_at(at(proxy.port()));
    EXPECT_EQ(silent.code, Code::unreachable);
    EXPECT_NE(silent.text.find("does not answer"), std::string::npos) << silent.text;
}

TEST(RedisConnect, AServerOfAnotherKindIsNoGate) {
    Engines engines;
    const Error other = error_at(at(engines.start("postgres", "postgres").port));
    EXPECT_NE(other.code, Code::exists) << other.text;
    EXPECT_FALSE(other.text.empty());
}

TEST(RedisConnect, AWrongPasswordIsToldWithoutIt) {
    Engines engines;
    const int port = engines.start("redis", "redis").port;
    Operator redis(port);
    redis.run({"CONFIG", "SET", "requirepass", "s3cret/pass"});
    redis.run({"AUTH", "s3cret/pass"});
    redis.run({"ACL", "SETUSER", "gate", "on", ">other3cret", "~*", "&*", "+@all"});
    for (const char* login : {"", ":hunter2@", "gate:hunter2@", "nobody:hunter2@"}) {
        const Error wrong = error_at(at(port, login));
        EXPECT_EQ(wrong.code, Code::invalid) << login;
        EXPECT_NE(wrong.text.find("password"), std::string::npos) << wrong.text;
        EXPECT_EQ(wrong.text.find("hunter2"), std::string::npos) << wrong.text;
    }
    for (const char* login : {":s3cret%2Fpass@", "default:s3cret%2Fpass@", "gate:other3cret@"}) {
        EXPECT_EQ(error_at(at(port, login)).code, Code::exists) << login;
    }
    redis.run({"ACL", "SETUSER", "gate", "-info"});
    const Error poor = error_at(at(port, "gate:other3cret@"));
    EXPECT_EQ(poor.code, Code::invalid);
    EXPECT_NE(poor.text.find("info"), std::string::npos) << poor.text;
}

TEST(RedisConnect, DatabasesOfOneServerAreGatesOfTheirOwn) {
    Engines engines;
    const int port = engines.start("redis", "redis").port;
    RedisGateOptions second = RedisSubject::options_for(port);
    second.url += "/2";
    RedisSubject zero(port), two(second);
    zero->make(1);
    EXPECT_EQ(two->admission({.id = 1}), no_resource);
    two->make(2);
    EXPECT_EQ(zero.ask_new(2, admitted), 1);
    EXPECT_EQ(two.ask_new(2, admitted), 2);
}

TEST(RedisConnect, ItConnectsAgainByItselfAfterARestart) {
    Engines engines;
    const int port = engines.start("redis", "redis").port;
    RedisSubject gate(port);
    gate->make(5);
    for (int round = 1; round <= 3; ++round) {
        engines.kill("redis");
        ASSERT_TRUE(gate.witness().wait_disconnected(round));
        engines.restart("redis");
        ASSERT_TRUE(gate.witness().wait_connected(round + 1));
        const auto next = GateGeneration(static_cast<std::uint64_t>(round) + 1);
        ASSERT_TRUE(gate->gate().begin_rebuild(contract::spec_of(5), next));
        ASSERT_TRUE(gate->gate().open(contract::kSale, next));
        EXPECT_EQ(gate.ask_new(6, admitted), 5);
    }
}

TEST(RedisConnect, WhatWasSettledBeforeTheEndArrives) {
    Engines engines;
    const int port = engines.start("redis", "redis").port;
    RedisSubject other(port);
    other->make(5000);
    {
        RedisSubject gate(port);
        for (std::uint64_t id = 0; id < 5000; ++id) gate->settle({.id = id}, true);
    }
    EXPECT_EQ(other->counts().granted, 5000u);
}

}  // namespace
}  // namespace penstock::test
