#include "test/kit/engines.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <stdexcept>

namespace penstock::test {
namespace {

TEST(Engines, EachStartsIsKilledAndComesBackAtItsPort) {
    Engines engines;
    for (const char* kind : {"redis", "postgres", "mariadb", "kafka"}) {
        SCOPED_TRACE(kind);
        const EngineAt first = engines.start(kind, kind);
        EXPECT_NE(first.url.find(std::to_string(first.port)), std::string::npos) << first.url;
        EXPECT_EQ(::kill(first.pid, 0), 0);
        engines.kill(kind);
        EXPECT_NE(::kill(first.pid, 0), 0);
        const EngineAt second = engines.restart(kind);
        EXPECT_EQ(second.port, first.port);
        EXPECT_NE(second.pid, first.pid);
        engines.stop(kind);
    }
}

TEST(Engines, OneThatCannotStartSaysWhy) {
    Engines engines;
    try {
        engines.start("redis", "redis", {{"no-such-setting", "1"}});
        FAIL() << "started";
    } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("no-such-setting"), std::string::npos)
            << error.what();
    }
}

TEST(Engines, ThreeBrokersMakeACluster) {
    Engines engines;
    const auto brokers = engines.start_brokers(3);
    ASSERT_EQ(brokers.size(), 3u);
    EXPECT_NE(brokers[0].port, brokers[1].port);
}

}  // namespace
}  // namespace penstock::test
