#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>
#include <sstream>

#include "penstock/base/uuid.h"
#include "penstock/edge/http/response.h"
#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

namespace json = boost::json;

std::string id_field(std::string_view id) {
    return "Idempotency-Key: " + std::string(id) + "\r\n";
}

std::string claim_of(const std::string& user, int quantity = 0) {
    std::string out = R"({"user_id":")" + user + '"';
    if (quantity > 0) out += ",\"quantity\":" + std::to_string(quantity);
    return out + "}";
}

std::vector<json::object> lines_of(const HttpAnswer& answer) {
    std::vector<json::object> lines;
    std::istringstream text(answer.body);
    for (std::string line; std::getline(text, line);) {
        lines.push_back(json::parse(line).as_object());
    }
    return lines;
}

int status_of(const json::object& line) {
    return line.at("status").to_number<int>();
}

class HttpCalls : public HttpNode {
protected:
    HttpCalls() { start_all(); }

    HttpAnswer claim(const std::string& campaign, const std::string& body,
                     const std::string& fields = "") {
        return ask("POST /v1/campaigns/" + campaign + "/claims", body, fields);
    }
};

TEST_F(HttpCalls, CreatesACampaignOnce) {
    const HttpAnswer first = ask("PUT /v1/campaigns/spring", R"({"quantity":10,"per_user":2})");
    EXPECT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(ask("PUT /v1/campaigns/spring", R"({ "per_user": 2, "quantity": 10 })").status, 200);
    const HttpAnswer other = ask("PUT /v1/campaigns/spring", R"({"quantity":11,"per_user":2})");
    EXPECT_EQ(other.status, 409);
    EXPECT_EQ(code_of(other), "conflict");

    const json::object seen = json_of(ask("GET /v1/campaigns/spring")).as_object();
    EXPECT_EQ(seen.at("quantity").to_number<int>(), 10);
    EXPECT_EQ(seen.at("per_user").to_number<int>(), 2);
    EXPECT_EQ(seen.at("granted").to_number<int>(), 0);
    EXPECT_EQ(seen.at("remaining").to_number<int>(), 10);
    EXPECT_FALSE(seen.at("closed").as_bool());
    const json::object list = json_of(ask("GET /v1/campaigns")).as_object();
    EXPECT_EQ(list.at("campaigns").as_array().size(), 1u);
}

TEST_F(HttpCalls, RefusesCampaignsThatAreNone) {
    for (const char* body :
         {"", "{", "[]", "null", "{}", R"({"quantity":0})", R"({"quantity":-1})",
          R"({"quantity":1.5})", R"({"quantity":"1"})", R"({"quantity":2147483648})",
          R"({"quantity":99999999999999999999})", R"({"quantity":1,"quantity":1})",
          R"({"quantity":1,"colour":"red"})", R"({"quantity":1,"per_user":0})",
          R"({"quantity":1,"opens_at":"tomorrow"})",
          R"({"quantity":1,"opens_at":"2030-01-02T00:00:00Z","closes_at":"2030-01-01T00:00:00Z"})",
          "{\"quantity\":1,\"\xff\":1}", R"({"quantity":1}x)"}) {
        const HttpAnswer answer = ask("PUT /v1/campaigns/spring", body);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(code_of(answer), "invalid") << body;
    }
    EXPECT_EQ(ask("PUT /v1/campaigns/.hidden", R"({"quantity":1})").status, 400);
    EXPECT_EQ(ask("PUT /v1/campaigns/a%2Fb", R"({"quantity":1})").status, 400);
    EXPECT_EQ(ask("PUT /v1/campaigns/" + std::string(65, 'a'), R"({"quantity":1})").status, 400);
    EXPECT_EQ(code_of(ask("GET /v1/campaigns/spring")), "no_campaign");
}

TEST_F(HttpCalls, GrantsAClaimAndRepeatsTheAnswer) {
    create_campaign("spring", R"({"quantity":10})");
    const HttpAnswer first = claim("spring", claim_of("ada"), id_field("order 1/2"));
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(first.text("location"), "/v1/claims/order%201%2F2");
    const json::object granted = json_of(first).as_object();
    EXPECT_EQ(granted.at("claim_id").as_string(), "order 1/2");
    EXPECT_EQ(granted.at("position").to_number<int>(), 1);
    EXPECT_TRUE(granted.at("offset").is_int64());

    const HttpAnswer again =
        claim("spring", "{ \"quantity\": 1, \"user_id\":\"ada\" }", id_field("order 1/2"));
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, first.body);
    const HttpAnswer asked = ask("GET /v1/claims/order%201%2F2");
    EXPECT_EQ(asked.status, 200);
    EXPECT_EQ(asked.body, first.body);
    EXPECT_EQ(ask("GET /v1/commands/order%201%2F2").body, first.body);
}

TEST_F(HttpCalls, RefusesAnIdForAnotherBody) {
    create_campaign("spring", R"({"quantity":1})");
    create_campaign("autumn", R"({"quantity":1})");
    ASSERT_EQ(claim("spring", claim_of("ada"), id_field("one")).status, 201);
    EXPECT_EQ(code_of(claim("spring", claim_of("bob"), id_field("one"))), "id_reused");
    EXPECT_EQ(code_of(claim("spring", claim_of("ada", 2), id_field("one"))), "id_reused");
    EXPECT_EQ(code_of(claim("autumn", claim_of("ada"), id_field("one"))), "id_reused");
    EXPECT_EQ(claim("autumn", claim_of("ada"), id_field("one")).status, 422);
    EXPECT_EQ(code_of(claim("spring", claim_of("bob"))), "sold_out");
    EXPECT_EQ(claim("spring", claim_of("ada"), id_field("one")).status, 200);
}

TEST_F(HttpCalls, RefusesForTheReasonsOfTheSale) {
    create_campaign("small", R"({"quantity":3,"per_user":2})");
    EXPECT_EQ(claim("small", claim_of("ada", 2)).status, 201);
    const HttpAnswer limit = claim("small", claim_of("ada"), id_field("mine"));
    EXPECT_EQ(limit.status, 409);
    EXPECT_EQ(code_of(limit), "limit_reached");
    EXPECT_EQ(json_of(limit).at("claim_id").as_string(), "mine");
    const HttpAnswer few = claim("small", claim_of("bob", 2));
    EXPECT_EQ(few.status, 409);
    EXPECT_EQ(code_of(few), "not_enough");
    EXPECT_EQ(json_of(few).at("left").to_number<int>(), 1);
    EXPECT_EQ(claim("small", claim_of("bob")).status, 201);
    EXPECT_EQ(code_of(claim("small", claim_of("eve"))), "sold_out");

    create_campaign("later", R"({"quantity":3,"opens_at":"2999-01-01T00:00:00Z"})");
    const HttpAnswer early = claim("later", claim_of("ada"));
    EXPECT_EQ(early.status, 403);
    EXPECT_EQ(code_of(early), "not_open");
    create_campaign("past", R"({"quantity":3,"closes_at":"2001-01-01T00:00:00Z"})");
    EXPECT_EQ(code_of(claim("past", claim_of("ada"))), "closed");
    const HttpAnswer nowhere = claim("nowhere", claim_of("ada"));
    EXPECT_EQ(nowhere.status, 404);
    EXPECT_EQ(code_of(nowhere), "no_campaign");

    const json::object seen = json_of(ask("GET /v1/campaigns/small")).as_object();
    EXPECT_EQ(seen.at("granted").to_number<int>(), 3);
    EXPECT_EQ(seen.at("remaining").to_number<int>(), 0);
    EXPECT_EQ(seen.at("refused").at("limit_reached").to_number<int>(), 1);
    EXPECT_EQ(seen.at("refused").at("not_enough").to_number<int>(), 1);
    EXPECT_EQ(seen.at("refused").at("sold_out").to_number<int>(), 1);
    EXPECT_EQ(seen.at("gate").at("granted").to_number<int>(), 3);
    EXPECT_EQ(seen.at("gate").at("reserved").to_number<int>(), 0);
}

TEST_F(HttpCalls, ClosesACampaign) {
    create_campaign("spring", R"({"quantity":10})");
    EXPECT_EQ(ask("POST /v1/campaigns/spring:close").status, 200);
    EXPECT_EQ(ask("POST /v1/campaigns/spring:close").status, 200);
    EXPECT_EQ(code_of(claim("spring", claim_of("ada"))), "closed");
    EXPECT_TRUE(json_of(ask("GET /v1/campaigns/spring")).at("closed").as_bool());
    EXPECT_EQ(code_of(ask("POST /v1/campaigns/nowhere:close")), "no_campaign");
    EXPECT_EQ(code_of(ask("POST /v1/campaigns/spring:close", R"({"now":true})")), "invalid");
    EXPECT_EQ(code_of(ask("GET /v1/campaigns/spring:close")), "method_not_allowed");
}

TEST_F(HttpCalls, RefusesClaimsThatAreNone) {
    create_campaign("spring", R"({"quantity":10})");
    for (const std::string& body :
         {std::string(), std::string("{"), std::string(R"({"quantity":1})"),
          std::string(R"({"user_id":""})"), std::string(R"({"user_id":7})"),
          claim_of(std::string(257, 'x')), std::string(R"({"user_id":"a","user_id":"a"})"),
          std::string(R"({"user_id":"a","quantity":0})"),
          std::string(R"({"user_id":"a","quantity":-1})"),
          std::string(R"({"user_id":"a","quantity":1.0})"),
          std::string(R"({"user_id":"a","quantity":1e0})"),
          std::string(R"({"user_id":"a","quantity":4294967297})"),
          std::string(R"({"user_id":"a","deadline":"soon"})"),
          std::string(R"({"user_id":"a","extra":1})"), std::string("{\"user_id\":\"\xc3\x28\"}"),
          std::string("{\"user_id\":\"\xed\xa0\x80\"}"), std::string(R"({"user_id":"\ud800"})")}) {
        const HttpAnswer answer = claim("spring", body);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(code_of(answer), "invalid") << body;
    }
    EXPECT_EQ(claim("spring", claim_of(std::string(256, 'x'))).status, 201);
}

TEST_F(HttpCalls, RefusesIdsOfTheWrongFormOrTime) {
    create_campaign("spring", R"({"quantity":10})");
    EXPECT_EQ(code_of(claim("spring", claim_of("a"), id_field(std::string(129, 'i')))), "invalid");
    EXPECT_EQ(code_of(claim("spring", claim_of("a"), id_field("ümlaut"))), "invalid");
    EXPECT_EQ(code_of(claim("spring", claim_of("a"), id_field("x") + id_field("x"))), "invalid");
    EXPECT_EQ(claim("spring", claim_of("a"), id_field(std::string(128, 'i'))).status, 201);

    const LogTime now = clock_.wall();
    const auto id_at = [&](LogTime time) {
        return id_field(format_uuid(make_uuid_v7(time, env_.random)));
    };
    const HttpAnswer old =
        claim("spring", claim_of("b"), id_at(now - std::chrono::hours(24 * 7 + 1)));
    EXPECT_EQ(old.status, 410);
    EXPECT_EQ(code_of(old), "id_too_old");
    EXPECT_EQ(code_of(claim("spring", claim_of("b"), id_at(now + std::chrono::minutes(11)))),
              "invalid");
    EXPECT_EQ(claim("spring", claim_of("b"), id_at(now - std::chrono::hours(24 * 6))).status, 201);
    EXPECT_EQ(claim("spring", claim_of("c"), id_at(now + std::chrono::minutes(9))).status, 201);
}

TEST_F(HttpCalls, RefusesAClaimAfterItsDeadline) {
    create_campaign("spring", R"({"quantity":10})");
    const std::string late = R"({"user_id":"ada","deadline":"2001-01-01T00:00:00Z"})";
    const HttpAnswer fresh = claim("spring", late);
    EXPECT_EQ(fresh.status, 409);
    EXPECT_EQ(code_of(fresh), "expired");
    EXPECT_EQ(json_of(fresh).at("effect").as_string(), "none");
    EXPECT_EQ(code_of(claim("spring", late, id_field("mine"))), "expired");
    ASSERT_EQ(claim("spring", claim_of("bob"), id_field("his")).status, 201);
    // What was granted before stays granted, whatever deadline a repeat names.
    const std::string repeat = R"({"user_id":"bob","deadline":"2001-01-01T00:00:00Z"})";
    EXPECT_EQ(claim("spring", repeat, id_field("his")).status, 200);
    EXPECT_EQ(json_of(ask("GET /v1/campaigns/spring")).at("granted").to_number<int>(), 1);
}

TEST_F(HttpCalls, TellsWhatBecameOfAnId) {
    create_campaign("spring", R"({"quantity":10})");
    EXPECT_EQ(code_of(ask("GET /v1/claims/never")), "no_record");
    EXPECT_EQ(code_of(ask("GET /v1/commands/never")), "no_record");
    EXPECT_EQ(code_of(ask("GET /v1/claims/" + std::string(129, 'x'))), "invalid");
    const std::string late = R"({"user_id":"ada","deadline":"2001-01-01T00:00:00Z"})";
    EXPECT_EQ(code_of(claim("spring", late, id_field("mine"))), "expired");
    const HttpAnswer recorded = ask("GET /v1/claims/mine");
    EXPECT_EQ(recorded.status, 200);
    EXPECT_EQ(json_of(recorded).at("code").as_string(), "expired");
    EXPECT_EQ(json_of(recorded).at("claim_id").as_string(), "mine");
}

TEST_F(HttpCalls, AnswersABatchLineByLine) {
    create_campaign("spring", R"({"quantity":4,"per_user":3})");
    ASSERT_EQ(claim("spring", claim_of("ada"), id_field("first")).status, 201);
    const std::string batch =
        "{\"id\":\"first\",\"user_id\":\"ada\"}\n"
        "{\"user_id\":\"bob\",\"quantity\":2}\r\n"
        "nonsense\n"
        "\n"
        "{\"id\":\"first\",\"user_id\":\"bob\"}\n"
        "{\"id\":\"new\",\"user_id\":\"eve\"}\n"
        "{\"user_id\":\"eve\"}";
    const HttpAnswer answer = ask("POST /v1/campaigns/spring/claims:batch", batch);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.text("content-type"), "application/x-ndjson");
    const auto lines = lines_of(answer);
    ASSERT_EQ(lines.size(), 7u);
    EXPECT_EQ(status_of(lines[0]), 200);
    EXPECT_EQ(lines[0].at("position").to_number<int>(), 1);
    EXPECT_EQ(status_of(lines[1]), 201);
    EXPECT_EQ(lines[1].at("position").to_number<int>(), 2);
    EXPECT_EQ(status_of(lines[2]), 400);
    EXPECT_EQ(status_of(lines[3]), 400);
    EXPECT_EQ(status_of(lines[4]), 422);
    EXPECT_EQ(status_of(lines[5]), 201);
    EXPECT_EQ(lines[5].at("claim_id").as_string(), "new");
    EXPECT_EQ(lines[5].at("position").to_number<int>(), 4);
    EXPECT_EQ(status_of(lines[6]), 409);
}

TEST_F(HttpCalls, LimitsABatch) {
    create_campaign("spring", R"({"quantity":5000})");
    std::string batch;
    for (int i = 0; i < 1000; ++i) batch += claim_of("user-" + std::to_string(i)) + "\n";
    const HttpAnswer full = ask("POST /v1/campaigns/spring/claims:batch", batch);
    ASSERT_EQ(full.status, 200);
    const auto lines = lines_of(full);
    ASSERT_EQ(lines.size(), 1000u);
    for (const json::object& line : lines) EXPECT_EQ(status_of(line), 201);
    EXPECT_EQ(code_of(ask("POST /v1/campaigns/spring/claims:batch", batch + claim_of("x"))),
              "batch_too_large");
    EXPECT_EQ(code_of(ask("POST /v1/campaigns/spring/claims:batch")), "invalid");
    EXPECT_EQ(code_of(ask("POST /v1/campaigns/spring/claims:batch", claim_of("x"), id_field("x"))),
              "invalid");
    EXPECT_EQ(json_of(ask("GET /v1/campaigns/spring")).at("granted").to_number<int>(), 1000);
}

TEST_F(HttpCalls, ListsTheGrantedClaims) {
    create_campaign("spring", R"({"quantity":5000})");
    std::string batch;
    for (int i = 0; i < 1000; ++i) {
        batch += "{\"user_id\":\"user \\\"" + std::to_string(i % 500) + "\\\"\"}\n";
    }
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(ask("POST /v1/campaigns/spring/claims:batch", batch).status, 200);
    }
    const HttpAnswer all = ask("GET /v1/campaigns/spring/claims");
    ASSERT_EQ(all.status, 200);
    EXPECT_EQ(all.text("content-type"), "application/x-ndjson");
    const auto lines = lines_of(all);
    ASSERT_EQ(lines.size(), 2000u);
    std::set<std::string> ids;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        EXPECT_EQ(lines[i].at("position").to_number<std::size_t>(), i + 1);
        ids.insert(json::serialize(lines[i].at("claim_id")));
    }
    EXPECT_EQ(ids.size(), 2000u);

    const auto one = lines_of(ask("GET /v1/campaigns/spring/claims?user_id=user+%227%22"));
    EXPECT_EQ(one.size(), 4u);
    const HttpAnswer csv = ask("GET /v1/campaigns/spring/claims?format=csv");
    EXPECT_EQ(csv.text("content-type"), "text/csv; charset=utf-8");
    EXPECT_EQ(std::count(csv.body.begin(), csv.body.end(), '\n'), 2001);
    EXPECT_NE(csv.body.find("\r\n1,\"user \"\"0\"\"\",\""), std::string::npos);
    EXPECT_EQ(ask("GET /v1/campaigns/spring/claims", "", "Accept: text/csv\r\n").body, csv.body);

    EXPECT_EQ(code_of(ask("GET /v1/campaigns/nowhere/claims")), "no_campaign");
    EXPECT_EQ(code_of(ask("GET /v1/campaigns/spring/claims?format=xml")), "invalid");
    EXPECT_EQ(code_of(ask("GET /v1/campaigns/spring/claims?colour=red")), "invalid");
    EXPECT_EQ(code_of(ask("GET /v1/campaigns/spring/claims?user_id=")), "invalid");

    // HTTP/1.0 knows no chunks: the list ends with the connection.
    HttpClient old = connect();
    old.send("GET /v1/campaigns/spring/claims HTTP/1.0\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(old.receive().body, all.body);
}

TEST_F(HttpCalls, TakesCommandsOfAnyType) {
    const std::string create = R"({"key":"spring","data":{"per_user":1,"quantity":2}})";
    const HttpAnswer made = ask("POST /v1/commands/sale.create", create, id_field("c1"));
    EXPECT_EQ(made.status, 200) << made.body;
    EXPECT_EQ(made.text("content-location"), "/v1/commands/c1");
    const HttpAnswer again =
        ask("POST /v1/commands/sale.create",
            R"({"id":"c1","key":"spring","data":{"quantity":2,"per_user":1}})");
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, made.body);
    const HttpAnswer claimed = ask("POST /v1/commands/sale.claim",
                                   R"({"key":"spring","data":{"user_id":"ada"}})", id_field("k"));
    EXPECT_EQ(claimed.status, 200);
    EXPECT_EQ(claim("spring", claim_of("ada"), id_field("k")).body, claimed.body);
    EXPECT_EQ(ask("POST /v1/commands/sale.claim",
                  R"({"key":"spring","target":"x","data":{"user_id":"ada"}})", id_field("k"))
                  .status,
              422);
    EXPECT_EQ(code_of(ask("POST /v1/commands/sale.claim",
                          R"({"key":"spring","data":{"user_id":"ada"}})")),
              "limit_reached");
    EXPECT_EQ(ask("POST /v1/commands/no.such", R"({"key":"x","data":{}})").status, 404);
    for (const char* body :
         {"", "{}", R"({"key":"x"})", R"({"data":{}})", R"({"key":1,"data":{}})",
          R"({"key":"x","data":{},"data":{}})", R"({"key":"x","data":{"a":1,"a":2}})",
          R"({"key":"x","data":{},"deadline":"later"})", R"({"key":"x","data":{},"more":1})",
          R"({"key":"spring","data":{"user_id":7}})"}) {
        EXPECT_EQ(code_of(ask("POST /v1/commands/sale.claim", body)), "invalid") << body;
    }
}

TEST_F(HttpCalls, ShowsAndChangesTheRuntime) {
    const HttpAnswer before = ask("GET /v1/runtime");
    EXPECT_EQ(before.status, 200);
    EXPECT_EQ(json_of(before).at("max_rows_per_s").to_number<int>(), 0);
    EXPECT_EQ(json_of(before).at("partitions").as_array().size(), 1u);
    EXPECT_EQ(ask("PATCH /v1/runtime", R"({"max_rows_per_s":500})").status, 200);
    EXPECT_EQ(node_->max_rows_per_s(), 500u);
    EXPECT_EQ(code_of(ask("PATCH /v1/runtime", R"({"max_rows_per_s":-1})")), "invalid");
    EXPECT_EQ(code_of(ask("PATCH /v1/runtime", "{}")), "invalid");
    EXPECT_EQ(node_->max_rows_per_s(), 500u);
}

TEST_F(HttpCalls, CountsWhatItDoes) {
    create_campaign("spring", R"({"quantity":1})");
    EXPECT_EQ(claim("spring", claim_of("ada")).status, 201);
    EXPECT_EQ(claim("spring", claim_of("bob")).status, 409);
    const HttpAnswer metrics = ask("GET /metrics");
    EXPECT_EQ(metrics.text("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for (const char* line :
         {"penstock_http_requests_total{method=\"POST\",route=\"/v1/campaigns/{id}/"
          "claims\",status=\"201\"} 1",
          "penstock_http_requests_total{method=\"POST\",route=\"/v1/campaigns/{id}/"
          "claims\",status=\"409\"} 1",
          "penstock_gate_answers_total{answer=\"admitted\"} 1",
          "penstock_gate_answers_total{answer=\"sold_out\"} 1",
          "penstock_commands_total{outcome=\"done\"} 2",
          "penstock_lag_records{partition=\"0\",topic=\"sale\"} 0", "penstock_ready 1",
          "penstock_commands_in_line 0", "penstock_batch_commands_count 2",
          "# TYPE penstock_http_request_seconds histogram"}) {
        EXPECT_NE(metrics.body.find(line), std::string::npos) << line << "\n" << metrics.body;
    }
}

}  // namespace
}  // namespace penstock::test
