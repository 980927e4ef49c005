#include "penstock/edge/http/answers.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace penstock::http {
namespace {

const Asked kClaim{Noun::claim, "id/1"};

boost::json::object json(const Said& said) {
    return boost::json::parse(said.json).as_object();
}

std::string code(const Said& said) {
    const auto problem = json(said);
    EXPECT_EQ(problem.at("status").to_number<int>(), said.status);
    return std::string(problem.at("code").as_string());
}

struct Case {
    Answered answer;
    int status;
    const char* code;
};

TEST(Answers, MapEveryOutcomeToOneStatus) {
    const Case cases[] = {
        {NotAdmitted{Admission::sold_out}, 409, "sold_out"},
        {NotAdmitted{Admission::none_free}, 409, "none_free"},
        {NotAdmitted{Admission::not_enough, 3}, 409, "not_enough"},
        {NotAdmitted{Admission::limit_reached}, 409, "limit_reached"},
        {NotAdmitted{Admission::not_open}, 403, "not_open"},
        {NotAdmitted{Admission::closed}, 403, "closed"},
        {NotAdmitted{Admission::rebuilding}, 503, "not_ready"},
        {NotAdmitted{Admission::no_resource}, 404, "no_campaign"},
        {IdReused{}, 422, "id_reused"},
        {IdTooOld{}, 410, "id_too_old"},
        {Settlement{Refused{"sold_out", ""}, true}, 409, "sold_out"},
        {Settlement{Refused{"not_enough", ""}, true}, 409, "not_enough"},
        {Settlement{Refused{"limit_reached", ""}, false}, 409, "limit_reached"},
        {Settlement{Refused{"not_open", ""}, true}, 403, "not_open"},
        {Settlement{Refused{"closed", ""}, true}, 403, "closed"},
        {Settlement{Refused{"no_campaign", ""}, true}, 404, "no_campaign"},
        {Settlement{Refused{"conflict", ""}, true}, 409, "conflict"},
        {Settlement{Refused{"invalid", "why"}, true}, 400, "invalid"},
        {Settlement{Refused{"expired", ""}, true}, 409, "expired"},
        {Settlement{Refused{"failed", ""}, true}, 500, "failed"},
        {Settlement{Refused{"unknown_type", ""}, true}, 404, "unknown_type"},
        {Settlement{Refused{"no_such_row", ""}, true}, 409, "no_such_row"},
        {error(Code::overloaded, "x"), 503, "overloaded"},
        {error(Code::not_ready, "x"), 503, "not_ready"},
        {error(Code::stopped, "x"), 503, "stopped"},
        {error(Code::no_space, "x"), 507, "no_space"},
        {error(Code::too_large, "x"), 413, "too_large"},
        {error(Code::invalid, "x"), 400, "invalid"},
        {unknown_effect(Code::io, "x"), 504, "unknown"},
        {unknown_effect(Code::stopped, "x"), 504, "unknown"},
    };
    for (const Case& one : cases) {
        const Said said = say(Answered(one.answer), kClaim);
        EXPECT_EQ(said.status, one.status) << said.json;
        EXPECT_EQ(code(said), one.code);
        EXPECT_EQ(json(said).at("claim_id").as_string(), "id/1");
        EXPECT_EQ(json(said).at("effect").as_string(), one.status == 504 ? "unknown" : "none");
        const bool later = one.status == 503 || one.status == 507 || one.status == 504 ||
                           std::string_view(one.code) == "none_free";
        EXPECT_EQ(said.retry_after_s.has_value(), later) << said.json;
        EXPECT_EQ(to_response(said).content_type, kProblemJson);
    }
    EXPECT_EQ(json(say(NotAdmitted{Admission::not_enough, 3}, kClaim)).at("left"), 3);
    EXPECT_EQ(json(say(unknown_effect(Code::io, "x"), kClaim)).at("ask").as_string(),
              "/v1/claims/id%2F1");
}

TEST(Answers, SayNothingDefiniteBeforeTheNodeIsReady) {
    const Asked early{Noun::claim, "id", false};
    for (const Admission why : {Admission::no_resource, Admission::sold_out, Admission::closed,
                                Admission::none_free, Admission::rebuilding}) {
        EXPECT_EQ(say(NotAdmitted{why}, early).status, 503);
    }
    EXPECT_EQ(say_recorded(error(Code::not_found, "x"), early).status, 503);
    EXPECT_EQ(say_recorded(error(Code::not_found, "x"), kClaim).status, 404);
    // What is recorded is sure at any time.
    EXPECT_EQ(say(Settlement{Refused{"sold_out", ""}, false}, early).status, 409);
}

TEST(Answers, CreateOnceAndRepeatTheSameBytes) {
    const std::string reply = R"({"claim_id":"id/1","position":1,"offset":2})";
    const Said first = say(Settlement{Done{reply, {}}, true}, kClaim);
    EXPECT_EQ(first.status, 201);
    EXPECT_EQ(first.json, reply);
    const Said again = say(Settlement{Done{reply, {}}, false}, kClaim);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.json, reply);
    EXPECT_EQ(say_recorded(Settlement{Done{reply, {}}, false}, kClaim).json, reply);
    EXPECT_EQ(to_response(first).fields, "Location: /v1/claims/id%2F1\r\n");

    const Asked campaign{Noun::campaign, "c"};
    const Done made{R"({"campaign":"x","created":true})", {}};
    const Done there{R"({"campaign":"x","created":false})", {}};
    const Done closed{R"({"campaign":"x","closed":true})", {}};
    EXPECT_EQ(say(Settlement{made, true}, campaign).status, 201);
    EXPECT_EQ(say(Settlement{made, false}, campaign).status, 200);
    EXPECT_EQ(say(Settlement{there, true}, campaign).status, 200);
    EXPECT_EQ(say(Settlement{closed, true}, campaign).status, 200);
    EXPECT_EQ(say(Settlement{Done{"", {}}, true}, Asked{Noun::command, "c"}).json, "{}");
}

TEST(Answers, BecomeLinesOfABatchWithTheirStatus) {
    const auto line = [](const Said& said) {
        std::string out;
        append_line(out, said);
        EXPECT_EQ(out.back(), '\n');
        return boost::json::parse(out).as_object();
    };
    EXPECT_EQ(line({201, R"({"claim_id":"a"})"}).at("status"), 201);
    EXPECT_EQ(line({200, "{}"}).at("status"), 200);
    EXPECT_EQ(line(say(NotAdmitted{Admission::sold_out}, kClaim)).at("status"), 409);
    InLine in_line;
    in_line.place = 7;
    const auto waiting = line(say_waiting(in_line, kClaim));
    EXPECT_EQ(waiting.at("status"), 202);
    EXPECT_EQ(waiting.at("place"), 7);
    EXPECT_EQ(waiting.at("claim_id").as_string(), "id/1");
}

TEST(Answers, EscapeWhatCallersSent) {
    const Asked hostile{Noun::claim, "\",\"status\":\"waiting\",\"x\":\"\\"};
    const Said said = say_waiting(InLine{}, hostile);
    EXPECT_EQ(json(said).at("claim_id").as_string(), hostile.id_text);
    std::string out;
    append_line(out, said);
    EXPECT_EQ(boost::json::parse(out).at("claim_id").as_string(), hostile.id_text);
    EXPECT_EQ(json_string("a\n\x01\xff"), "\"a\\n\\u0001\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace penstock::http
