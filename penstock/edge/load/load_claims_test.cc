#include "penstock/edge/load/load_claims.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "penstock/base/uuid.h"
#include "penstock/edge/load/load_history.h"

namespace penstock::load {
namespace {

LoadOptions options_of(std::uint64_t requests, double repeats) {
    LoadOptions options;
    options.server.host = "127.0.0.1";
    options.server.port = 8080;
    options.campaign = "spring";
    options.requests = requests;
    options.repeat_fraction = repeats;
    return options;
}

TEST(ClaimSource, GivesEachUserOneId) {
    LoadOptions options = options_of(1000, 0);
    options.users_offset = 500;
    ClaimSource source(options, system_env());
    std::set<std::string> ids;
    std::set<std::uint64_t> users;
    Claim claim;
    while (source.next(claim)) {
        ids.emplace(claim.id_text());
        users.insert(claim.user);
        const auto uuid = parse_uuid(claim.id_text());
        ASSERT_TRUE(uuid && uuid_v7_time(*uuid)) << claim.id_text();
        source.remember(claim, "granted");
    }
    EXPECT_EQ(ids.size(), 1000u);
    EXPECT_EQ(users.size(), 1000u);
    EXPECT_EQ(*users.begin(), 500u);
    EXPECT_EQ(*users.rbegin(), 1499u);
}

TEST(ClaimSource, RepeatsOnlyWhatWasAnsweredAndKnowsWhatItSaid) {
    const LoadOptions options = options_of(20'000, 0.5);
    ClaimSource source(options, system_env());
    std::map<std::string, std::string> told;
    std::uint64_t repeats = 0;
    Claim claim;
    while (source.next(claim)) {
        const std::string id(claim.id_text());
        if (claim.repeat) {
            ++repeats;
            ASSERT_TRUE(told.count(id)) << id;
            EXPECT_EQ(claim.expected, told[id]);
        } else {
            EXPECT_EQ(claim.expected, "");
            told[id] = "answer " + id;
            source.remember(claim, told[id]);
        }
    }
    EXPECT_EQ(repeats + told.size(), 20'000u);
    EXPECT_GT(repeats, 9'000u);
    EXPECT_LT(repeats, 11'000u);
}

TEST(RequestWriter, WritesOneClaim) {
    LoadOptions options = options_of(1, 0);
    options.quantity = 2;
    Claim claim;
    std::fill(claim.id.begin(), claim.id.end(), 'i');
    claim.user = 42;
    std::string request = "what was there before";
    RequestWriter(options).write({&claim, 1}, request);
    EXPECT_EQ(request,
              "POST /v1/campaigns/spring/claims HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
              "Content-Type: application/json\r\n"
              "Idempotency-Key: iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\r\nContent-Length: 42\r\n\r\n"
              R"({"user_id":"user-0000000042","quantity":2})");
}

TEST(RequestWriter, WritesABatchOfTheClaimsThatThereAre) {
    LoadOptions options = options_of(1, 0);
    options.batch = 100;
    std::vector<Claim> claims(2);
    for (Claim& claim : claims) std::fill(claim.id.begin(), claim.id.end(), 'i');
    claims[1].id[0] = 'j';
    claims[1].user = 9'999'999'999;
    std::string request;
    RequestWriter(options).write(claims, request);
    const std::string lines =
        "{\"id\":\"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\",\"user_id\":\"user-0000000000\"}\n"
        "{\"id\":\"jiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\",\"user_id\":\"user-9999999999\"}\n";
    EXPECT_TRUE(request.starts_with("POST /v1/campaigns/spring/claims:batch HTTP/1.1\r\n"));
    EXPECT_TRUE(
        request.ends_with("Content-Length: " + std::to_string(lines.size()) + "\r\n\r\n" + lines))
        << request;
}

TEST(LoadHistory, QuotesAsJsonDoes) {
    std::string out;
    append_quoted(out, "a\"b\\c\nd\x01é");
    EXPECT_EQ(out, "\"a\\\"b\\\\c\\u000ad\\u0001é\"");
}

}  // namespace
}  // namespace penstock::load
