#include "penstock/gate/redis/url.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(RedisUrl, ReadsEveryPart) {
    const auto url = parse_redis_url("redis://ann:p%40ss%2f:@[::1]:6380/3");
    ASSERT_TRUE(url) << url.error().text;
    EXPECT_EQ(url->at.host, "::1");
    EXPECT_EQ(url->at.port, 6380);
    EXPECT_EQ(url->database, 3);
    EXPECT_EQ(url->at.user, "ann");
    EXPECT_EQ(url->at.password, "p@ss/:");
    EXPECT_EQ(url->shown(), "[::1]:6380/3");
}

TEST(RedisUrl, HasDefaults) {
    for (const char* text : {"redis://cache", "redis://cache/", "redis://cache:6379/0"}) {
        const auto url = parse_redis_url(text);
        ASSERT_TRUE(url) << text;
        EXPECT_EQ(url->shown(), "cache:6379/0");
        EXPECT_EQ(url->at.password, std::nullopt);
    }
    EXPECT_EQ(parse_redis_url("redis://:secret@cache")->at.user, "");
    EXPECT_EQ(parse_redis_url("redis://:secret@cache")->at.password, "secret");
}

TEST(RedisUrl, RefusesTheRestWithoutShowingAPassword) {
    for (const char* text :
         {"", "cache:6379", "http://cache", "rediss://:secret@cache", "redis://", "redis://:6379",
          "redis://:secret@", "redis://secret@cache", "redis://:@cache", "redis://:%4@cache",
          "redis://:%zzsecret@cache", "redis://:secret@cache:0", "redis://:secret@cache:65536",
          "redis://:secret@cache:", "redis://:secret@cache:63x", "redis://:secret@cache/x",
          "redis://:secret@cache/-1", "redis://[::1", "redis://[::1]6379"}) {
        const auto url = parse_redis_url(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().code, Code::invalid);
        EXPECT_EQ(url.error().text.find("secret"), std::string::npos) << url.error().text;
    }
}

}  // namespace
}  // namespace penstock
