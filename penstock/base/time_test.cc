#include "penstock/base/time.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::int64_t ms_of(std::string_view text) {
    const auto time = parse_rfc3339(text);
    EXPECT_TRUE(time) << text;
    return time ? unix_ms(*time) : -1;
}

TEST(Rfc3339, ReadsTheExamplesOfTheRfc) {  // section 5.8
    EXPECT_EQ(ms_of("1985-04-12T23:20:50.52Z"), 482'196'050'520);
    EXPECT_EQ(ms_of("1996-12-19T16:39:57-08:00"), 851'042'397'000);
    EXPECT_EQ(ms_of("1990-12-31T23:59:60Z"), 662'688'000'000);
    EXPECT_EQ(ms_of("1990-12-31T15:59:60-08:00"), 662'688'000'000);
    EXPECT_EQ(ms_of("1937-01-01T12:00:27.87+00:20"), -1'041'337'172'130);
}

TEST(Rfc3339, ReadsEveryFormThatItPermits) {
    EXPECT_EQ(ms_of("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(ms_of("1970-01-01t00:00:00z"), 0);
    EXPECT_EQ(ms_of("1970-01-01 00:00:00Z"), 0);
    EXPECT_EQ(ms_of("1970-01-01T00:00:00.1Z"), 100);
    EXPECT_EQ(ms_of("1970-01-01T00:00:00.123999999Z"), 123);
    EXPECT_EQ(ms_of("1970-01-01T23:59:00+23:59"), 0);
    EXPECT_EQ(ms_of("2024-02-29T00:00:00Z"), 1'709'164'800'000);
}

TEST(Rfc3339, RefusesEverythingElse) {
    for (const std::string_view text : {"",
                                        "2026-11-21",
                                        "2026-11-21T06:48:12",
                                        "2026-11-21T06:48:12.Z",
                                        "2026-11-21T06:48Z",
                                        "2026-11-21T24:00:00Z",
                                        "2026-11-21T06:60:00Z",
                                        "2026-11-21T06:48:61Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-11-31T00:00:00Z",
                                        "2026-11-00T00:00:00Z",
                                        "2025-02-29T00:00:00Z",
                                        "1900-02-29T00:00:00Z",
                                        "2026-11-21T06:48:12+0100",
                                        "2026-11-21T06:48:12+24:00",
                                        "2026-11-21T06:48:12+01:60",
                                        "2026-11-21T06:48:12.1234567890Z",
                                        "2026-11-21T06:48:12Z ",
                                        " 2026-11-21T06:48:12Z",
                                        "2026-11-21T06:48:12ZZ",
                                        "+2026-11-21T06:48:12Z",
                                        "2026-11-21T06:48:-1Z",
                                        "26-11-21T06:48:12Z",
                                        "2026-11-21X06:48:12Z",
                                        "2026/11/21T06:48:12Z",
                                        "2026-11-21T06:48:12,5Z",
                                        "2026-11-21T06:48:12 Z"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

TEST(Rfc3339, WritesWhatItReads) {
    EXPECT_EQ(format_rfc3339(log_time(1'795'243'692'345)), "2026-11-21T06:48:12.345Z");
    for (const std::int64_t ms :
         {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, std::int64_t{1'709'164'799'999},
          std::int64_t{-62'167'219'200'000}, std::int64_t{253'402'300'799'999}}) {
        EXPECT_EQ(ms_of(format_rfc3339(log_time(ms))), ms) << format_rfc3339(log_time(ms));
    }
}

}  // namespace
}  // namespace penstock
