#include <gtest/gtest.h>

#include "penstock/apps/sale/claim_view.h"
#include "penstock/apps/sale/sale.h"
#include "test/kit/seed.h"
#include "test/kit/seeded_random.h"

namespace penstock::sale {
namespace {

struct BadCase {
    const char* json;
    const char* names;  ///< what the text must name
};

constexpr BadCase kBadClaims[] = {
    {"", "JSON"},
    {"{", "JSON"},
    {"null", "object"},
    {"[]", "object"},
    {"17", "object"},
    {R"("user_id")", "object"},
    {R"({"user_id":"u"} x)", "follows"},
    {R"({"user_id":"u"}{})", "follows"},
    {R"({})", "user_id"},
    {R"({"quantity":1})", "user_id"},
    {R"({"user_id":null})", "user_id"},
    {R"({"user_id":1})", "user_id"},
    {R"({"user_id":["u"]})", "user_id"},
    {R"({"user_id":{"a":"u"}})", "user_id"},
    {R"({"user_id":""})", "user_id"},
    {R"({"user_id":"a\u0000b"})", "user_id"},
    {R"({"user_id":"u","user_id":"u"})", "user_id"},
    {R"({"user_id":"u","\u0075ser_id":"v"})", "user_id"},
    {R"({"user_id":"u","quantity":0})", "quantity"},
    {R"({"user_id":"u","quantity":-1})", "quantity"},
    {R"({"user_id":"u","quantity":1.0})", "quantity"},
    {R"({"user_id":"u","quantity":1e2})", "quantity"},
    {R"({"user_id":"u","quantity":2147483648})", "quantity"},
    {R"({"user_id":"u","quantity":18446744073709551615})", "quantity"},
    {R"({"user_id":"u","quantity":99999999999999999999999})", "quantity"},
    {R"({"user_id":"u","quantity":"1"})", "quantity"},
    {R"({"user_id":"u","quantity":true})", "quantity"},
    {R"({"user_id":"u","quantity":null})", "quantity"},
    {R"({"user_id":"u","quantity":01})", "JSON"},
    {R"({"user_id":"u","quantity":+1})", "JSON"},
    {R"({"user_id":"u",})", "JSON"},
    {R"({'user_id':'u'})", "JSON"},
    {R"({"user_id":"u"/**/})", "JSON"},
    {R"({"user_id":"u","other":1})", "other"},
    {R"({"user_id":"u","deadline":"2026-11-21T09:00:00Z"})", "deadline"},
    {"{\"user_id\":\"\xff\"}", "UTF-8"},
    {"{\"user_id\":\"\xc0\x80\"}", "UTF-8"},
    {"{\"user_id\":\"\xed\xa0\x80\"}", "UTF-8"},
    {"{\"user_id\":\"a\nb\"}", "JSON"},
    {R"({"user_id":"\ud800"})", "JSON"},
    {R"({"user_id":"u","x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]})",
     "JSON"},
};

constexpr BadCase kBadCampaigns[] = {
    {R"({})", "quantity"},
    {R"({"quantity":0})", "quantity"},
    {R"({"quantity":2147483648})", "quantity"},
    {R"({"quantity":1.5})", "quantity"},
    {R"({"quantity":1,"quantity":1})", "quantity"},
    {R"({"quantity":1,"per_user":0})", "per_user"},
    {R"({"quantity":1,"per_user":null})", "per_user"},
    {R"({"quantity":1,"opens_at":1700000000})", "opens_at"},
    {R"({"quantity":1,"opens_at":"tomorrow"})", "opens_at"},
    {R"({"quantity":1,"opens_at":"1969-12-31T23:59:59Z"})", "opens_at"},
    {R"({"quantity":1,"closes_at":"9999-12-31T23:59:59-01:00"})", "closes_at"},
    {R"({"quantity":1,"closes_at":"2026-02-30T00:00:00Z"})", "closes_at"},
    {R"({"quantity":1,"opens_at":"2026-11-21T09:00:00Z","closes_at":"2026-11-21T09:00:00Z"})",
     "closes_at"},
    {R"({"quantity":1,"opens_at":"2026-11-21T09:00:00Z","closes_at":"2026-11-21T10:00:00+02:00"})",
     "closes_at"},
    {R"({"quantity":1,"color":"red"})", "color"},
};

TEST(ParseClaim, RefusesWhatIsNotOfTheFormAndNamesTheMember) {
    for (const BadCase& bad : kBadClaims) {
        const auto claim = parse_claim(bad.json);
        ASSERT_FALSE(claim) << bad.json;
        EXPECT_EQ(claim.error().code, Code::invalid) << bad.json;
        EXPECT_NE(claim.error().text.find(bad.names), std::string::npos)
            << bad.json << ": " << claim.error().text;
    }
}

TEST(ParseClaim, TakesWhatIsOfTheForm) {
    struct Good {
        const char* json;
        Claim claim;
    };
    const Good table[] = {
        {R"({"user_id":"u"})", {"u", 1}},
        {R"({"user_id":"u","quantity":1})", {"u", 1}},
        {" {\n\t\"quantity\" : 2147483647 , \"user_id\" : \"u\" }\r\n ", {"u", 2147483647}},
        {R"({"user_id":"a\"b\\c\/d\n\u00e9"})", {"a\"b\\c/d\n\xc3\xa9", 1}},
        {"{\"user_id\":\"\xea\xb9\x80\",\"quantity\":3}", {"\xea\xb9\x80", 3}},
        {R"({"user_id":"\ud83d\ude00"})", {"\xf0\x9f\x98\x80", 1}},
    };
    for (const Good& good : table) {
        const auto claim = parse_claim(good.json);
        ASSERT_TRUE(claim) << good.json << ": " << claim.error().text;
        EXPECT_EQ(*claim, good.claim) << good.json;
    }
}

TEST(ParseClaim, CountsTheUserIdInBytes) {
    const auto with_user = [](std::string user) { return R"({"user_id":")" + user + R"("})"; };
    EXPECT_TRUE(parse_claim(with_user(std::string(256, 'u'))));
    EXPECT_FALSE(parse_claim(with_user(std::string(257, 'u'))));
    std::string korean;
    for (int i = 0; i < 85; ++i) korean += "\xea\xb9\x80";
    EXPECT_TRUE(parse_claim(with_user(korean + "u")));
    EXPECT_FALSE(parse_claim(with_user(korean + "uu")));
    const std::string canonical_long = canonical(Claim{std::string(257, 'u'), 1});
    EXPECT_FALSE(parse_claim(canonical_long));
}

TEST(ParseClaim, TakesADeadlineWhereItIsAskedFor) {
    std::optional<LogTime> deadline;
    const auto claim =
        parse_claim(R"({"user_id":"u","deadline":"1970-01-01T00:00:01.5Z"})", &deadline);
    ASSERT_TRUE(claim) << claim.error().text;
    EXPECT_EQ(deadline, log_time(1500));
    EXPECT_FALSE(parse_claim(R"({"user_id":"u","deadline":1500})", &deadline));
}

TEST(ParseCampaign, RefusesWhatIsNotOfTheFormAndNamesTheMember) {
    for (const BadCase& bad : kBadCampaigns) {
        const auto campaign = parse_campaign(bad.json);
        ASSERT_FALSE(campaign) << bad.json;
        EXPECT_EQ(campaign.error().code, Code::invalid) << bad.json;
        EXPECT_NE(campaign.error().text.find(bad.names), std::string::npos)
            << bad.json << ": " << campaign.error().text;
    }
}

TEST(ParseCampaign, ReadsItsCanonicalFormBack) {
    Campaign campaign{100, std::nullopt, std::nullopt, std::nullopt};
    EXPECT_EQ(canonical(campaign), R"({"quantity":100})");
    EXPECT_EQ(*parse_campaign(canonical(campaign)), campaign);
    campaign.per_user = 5;
    campaign.opens_at = log_time(0);
    campaign.closes_at = log_time(253'402'300'799'999);
    EXPECT_EQ(canonical(campaign),
              R"({"quantity":100,"per_user":5,"opens_at":"1970-01-01T00:00:00.000Z",)"
              R"("closes_at":"9999-12-31T23:59:59.999Z"})");
    EXPECT_EQ(*parse_campaign(canonical(campaign)), campaign);
}

TEST(ParseBatchLine, TakesAnIdOfPrintableAscii) {
    const auto line = parse_batch_line(R"({"id":"a b","user_id":"u","quantity":2})");
    ASSERT_TRUE(line) << line.error().text;
    EXPECT_EQ(line->id, "a b");
    EXPECT_EQ(line->claim, (Claim{"u", 2}));
    EXPECT_EQ(parse_batch_line(canonical(Claim{"u", 2}))->id, std::nullopt);
    for (const char* bad :
         {R"({"id":"","user_id":"u"})", R"({"id":"\u00e9","user_id":"u"})",
          R"({"id":1,"user_id":"u"})", R"({"id":"x"})", R"({"id":"x","id":"x","user_id":"u"})"}) {
        EXPECT_FALSE(parse_batch_line(bad)) << bad;
    }
}

TEST(ScanCanonical, AgreesWithTheStrictParserOnEveryText) {
    const test::Seed seed;
    test::SeededRandom random(seed.value());
    const std::string pieces[] = {R"({"user_id":")",
                                  R"(","quantity":)",
                                  "}",
                                  "1",
                                  "0",
                                  "9",
                                  "2147483647",
                                  "2147483648",
                                  "u",
                                  "\"",
                                  "\\",
                                  " ",
                                  "\xc3\xa9",
                                  ",",
                                  "-1",
                                  "1.0"};
    int scanned = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string json = canonical(Claim{"user-" + std::to_string(random.below(1000)),
                                           1 + static_cast<std::uint32_t>(random.below(1000))});
        for (auto edits = random.below(3); edits > 0; --edits) {
            const auto at = random.below(json.size() + 1);
            const auto& piece = pieces[random.below(std::size(pieces))];
            json.replace(at, random.below(3), piece);
        }
        const auto view = scan_canonical(json);
        if (!view) continue;
        ++scanned;
        // A space before the end takes the strict way.
        const auto strict = parse_claim(json + " ");
        ASSERT_TRUE(strict) << json;
        EXPECT_EQ(*strict, (Claim{std::string(view->user_id), view->quantity})) << json;
        EXPECT_EQ(canonical(*strict), json);
    }
    EXPECT_GT(scanned, 10'000);
}

TEST(CanonicalClaim, ReadsBackForEveryText) {
    const test::Seed seed;
    test::SeededRandom random(seed.value());
    for (int i = 0; i < 2'000; ++i) {
        Claim claim{"", 1 + static_cast<std::uint32_t>(random.below(kMaxQuantity))};
        for (auto left = 1 + random.below(60); left > 0; --left) {
            claim.user_id += static_cast<char>(1 + random.below(126));
        }
        const auto read = parse_claim(canonical(claim));
        ASSERT_TRUE(read) << canonical(claim) << ": " << read.error().text;
        EXPECT_EQ(*read, claim);
    }
}

TEST(CampaignId, HasItsForm) {
    for (const char* good : {"a", "-", "_", "9", "A.b-c_9", "x..y"}) {
        EXPECT_TRUE(check_campaign_id(good)) << good;
    }
    EXPECT_TRUE(check_campaign_id(std::string(64, 'c')));
    for (const char* bad : {"", ".", ".a", "a/b", "a b", "\xc3\xa9", "a\n", "a:close"}) {
        EXPECT_FALSE(check_campaign_id(bad)) << bad;
    }
    EXPECT_FALSE(check_campaign_id(std::string(65, 'c')));
}

}  // namespace
}  // namespace penstock::sale
