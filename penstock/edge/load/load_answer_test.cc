#include "penstock/edge/load/load_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "penstock/edge/load/load_tally.h"

namespace penstock::load {
namespace {

const std::string kAnswer =
    "HTTP/1.1 503 Service Unavailable\r\nDate: x\r\ncontent-LENGTH: 12\r\nRetry-After: 7\r\n"
    "Connection: close\r\n\r\n{\"code\":\"a\"}";

TEST(LoadAnswer, ReadsWhatTheHeadSays) {
    AnswerHead head;
    ASSERT_EQ(read_answer_head(kAnswer, head), Reading::whole);
    EXPECT_EQ(head.status, 503);
    EXPECT_EQ(head.head_bytes + head.body_bytes, kAnswer.size());
    EXPECT_EQ(head.retry_after_s, 7u);
    EXPECT_TRUE(head.close);
}

TEST(LoadAnswer, IsUnfinishedAtEveryByteOfTheHead) {
    AnswerHead head;
    const std::size_t end = kAnswer.find("\r\n\r\n") + 4;
    for (std::size_t n = 0; n < end; ++n) {
        EXPECT_EQ(read_answer_head(kAnswer.substr(0, n), head), Reading::unfinished) << n;
    }
}

TEST(LoadAnswer, IsBrokenWhenItsEndIsNotKnown) {
    AnswerHead head;
    for (const char* bytes :
         {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "SSH-2.0 what is this\r\n\r\n",
          "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"}) {
        EXPECT_EQ(read_answer_head(bytes, head), Reading::broken) << bytes;
    }
}

TEST(LoadAnswer, ReadsLinesOfABatch) {
    const ClaimAnswer granted = read_answer_line(R"({"status":201,"claim_id":"a","position":1})");
    const ClaimAnswer again = read_answer_line(R"({"status":200,"claim_id":"a","position":1})");
    EXPECT_EQ(granted.status, 201);
    EXPECT_EQ(granted.members, again.members);
    const ClaimAnswer refused =
        read_answer_line(R"({"type":"about:blank","status":409,"code":"sold_out"})");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(problem_code(refused.body), "sold_out");
    EXPECT_EQ(read_answer_line("nothing of this kind").status, 0);
}

TEST(LoadTally, KnowsWhatDecidesAClaim) {
    const auto meaning = [](int status, std::string_view body = "") {
        return meaning_of({status, body, body, 0});
    };
    for (const int status : {200, 201}) EXPECT_EQ(meaning(status), Meaning::granted);
    for (const int status : {400, 403, 404, 409, 410, 422}) {
        EXPECT_EQ(meaning(status), Meaning::refused);
    }
    for (const int status : {0, 202, 408, 429, 500, 503, 504, 507}) {
        EXPECT_EQ(meaning(status), Meaning::undecided);
    }
    EXPECT_EQ(meaning(500, R"({"code":"failed"})"), Meaning::refused);
}

TEST(LoadTally, CountsARepeatThatIsToldOtherBytes) {
    LoadTally tally;
    Claim claim;
    tally.take(claim, {201, "{1}", "{1}", 0});
    claim.repeat = true;
    claim.expected = "{1}";
    tally.take(claim, {200, "{1}", "{1}", 0});
    EXPECT_EQ(tally.report.mismatches, 0u);
    tally.take(claim, {200, "{2}", "{2}", 0});
    tally.take(claim, {201, "{1}", "{1}", 0});
    tally.take(claim, {409, "{3}", "{3}", 0});
    tally.take(claim, {503, "", "", 0});  // says nothing
    EXPECT_EQ(tally.report.mismatches, 3u);
    EXPECT_EQ(tally.report.granted, 1u);
    EXPECT_EQ(tally.report.repeated, 4u);
}

TEST(LoadTally, CountsAGrantAfterARefusalOnce) {
    LoadTally tally;
    Claim claim;
    tally.take(claim, {409, "{}", "{}", 0});
    claim.repeat = true;
    tally.take(claim, {201, "{1}", "{1}", 0});
    tally.take(claim, {200, "{1}", "{1}", 0});
    EXPECT_EQ(tally.report.granted, 1u);
    EXPECT_EQ(tally.report.refused, 0u);
    EXPECT_EQ(tally.report.mismatches, 0u);
}

}  // namespace
}  // namespace penstock::load
