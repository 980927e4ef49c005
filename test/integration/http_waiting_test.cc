#include <boost/json/parse.hpp>
#include <sstream>
#include <thread>

#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

namespace json = boost::json;

constexpr const char* kAsync = "Prefer: respond-async\r\n";

std::string claim_of(int user) {
    return R"({"user_id":"user-)" + std::to_string(user) + "\"}";
}

/// Answers that come while the store is stalled, or before the node is ready.
class HttpWaiting : public HttpNode {
protected:
    HttpAnswer claim(int user, const std::string& fields = "") {
        return ask("POST /v1/campaigns/spring/claims", claim_of(user), fields);
    }
};

TEST_F(HttpWaiting, SaysNothingDefiniteBeforeItIsReady) {
    start_http();
    EXPECT_EQ(ask("GET /healthz").status, 200);
    const HttpAnswer ready = ask("GET /readyz");
    EXPECT_EQ(ready.status, 503);
    EXPECT_EQ(code_of(ready), "not_ready");
    EXPECT_TRUE(json_of(ready).at("waits_for").is_string());
    EXPECT_EQ(ask("GET /metrics").status, 200);
    for (const char* call :
         {"GET /v1/campaigns", "GET /v1/campaigns/spring", "GET /v1/campaigns/spring/claims",
          "GET /v1/claims/some", "GET /v1/commands/some", "POST /v1/campaigns/spring:close"}) {
        EXPECT_EQ(ask(call).status, 503) << call;
    }
    EXPECT_EQ(claim(1).status, 503);
    EXPECT_EQ(ask("PUT /v1/campaigns/spring", R"({"quantity":1})").status, 503);
    EXPECT_EQ(ask("POST /v1/commands/sale.claim", R"({"key":"a","data":{"user_id":"b"}})").status,
              503);
    // What is wrong in itself needs no node.
    EXPECT_EQ(ask("PUT /v1/campaigns/spring", R"({"quantity":0})").status, 400);

    ASSERT_TRUE(node_->start());
    ASSERT_TRUE(eventually([&] { return ask("GET /readyz").status == 200; }));
    EXPECT_EQ(claim(1).status, 404);
}

TEST_F(HttpWaiting, TellsTheExactPlaceInLine) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    for (int i = 0; i < 20; ++i) {
        const HttpAnswer answer =
            claim(i, kAsync + ("Idempotency-Key: id-" + std::to_string(i) + "\r\n"));
        ASSERT_EQ(answer.status, 202) << answer.body;
        EXPECT_EQ(answer.text("location"), "/v1/claims/id-" + std::to_string(i));
        const json::object waiting = json_of(answer).as_object();
        EXPECT_EQ(waiting.at("claim_id").as_string(), "id-" + std::to_string(i));
        EXPECT_EQ(waiting.at("status").as_string(), "waiting");
        EXPECT_EQ(waiting.at("place").to_number<int>(), i);
        EXPECT_GE(waiting.at("estimated_wait_ms").to_number<int>(), 0);
    }
    const HttpAnswer where = ask("GET /v1/claims/id-7");
    EXPECT_EQ(where.status, 200);
    EXPECT_EQ(json_of(where).at("place").to_number<int>(), 7);
    EXPECT_EQ(json_of(where).at("status").as_string(), "waiting");

    stalled->rollback();
    for (int i = 0; i < 20; ++i) {
        const std::string place = "GET /v1/claims/id-" + std::to_string(i);
        ASSERT_TRUE(eventually(
            [&] { return json_of(ask(place)).as_object().if_contains("position") != nullptr; }));
        EXPECT_EQ(json_of(ask(place)).at("position").to_number<int>(), i + 1);
    }
}

TEST_F(HttpWaiting, AnswersABatchWithPlaces) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    std::string batch;
    for (int i = 0; i < 50; ++i) batch += claim_of(i) + "\n";
    const HttpAnswer answer = ask("POST /v1/campaigns/spring/claims:batch", batch, kAsync);
    ASSERT_EQ(answer.status, 200) << answer.body;
    std::istringstream text(answer.body);
    int place = 0;
    for (std::string line; std::getline(text, line); ++place) {
        const auto one = json::parse(line);
        EXPECT_EQ(one.at("status").to_number<int>(), 202);
        EXPECT_EQ(one.at("place").to_number<int>(), place);
        EXPECT_TRUE(one.at("claim_id").is_string());
    }
    EXPECT_EQ(place, 50);
    stalled->rollback();
}

TEST_F(HttpWaiting, EndsTheWaitWithThePlaceWhereToAsk) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    HttpClient client = connect();
    client.send(http_request("POST /v1/campaigns/spring/claims", claim_of(1),
                             "Prefer: wait=600\r\nIdempotency-Key: mine\r\n"));
    ASSERT_TRUE(eventually([&] { return ask("GET /v1/claims/mine").status == 200; }));
    clock_.forward(std::chrono::seconds(61));  // no wish is longer than a minute
    const HttpAnswer answer = client.receive();
    EXPECT_EQ(answer.status, 202) << answer.body;
    EXPECT_EQ(answer.text("location"), "/v1/claims/mine");
    EXPECT_EQ(json_of(answer).at("place").to_number<int>(), 0);
    EXPECT_EQ(claim(2, "Prefer: wait=0\r\nIdempotency-Key: hers\r\n").text("location"),
              "/v1/claims/hers");

    // A repeat of what waits in line waits for the same outcome.
    HttpClient again = connect();
    again.send(
        http_request("POST /v1/campaigns/spring/claims", claim_of(1), "Idempotency-Key: mine\r\n"));
    stalled->rollback();
    const HttpAnswer outcome = again.receive();
    EXPECT_TRUE(outcome.status == 200 || outcome.status == 201) << outcome.body;
    EXPECT_EQ(json_of(outcome).at("position").to_number<int>(), 1);
    EXPECT_EQ(ask("GET /v1/claims/mine").body, outcome.body);
}

TEST_F(HttpWaiting, SaysWhenNobodyCanTell) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    disk_.crash();
    const HttpAnswer answer = claim(1, "Idempotency-Key: mine\r\n");
    EXPECT_EQ(answer.status, 504) << answer.body;
    EXPECT_EQ(code_of(answer), "unknown");
    EXPECT_EQ(json_of(answer).at("effect").as_string(), "unknown");
    EXPECT_EQ(json_of(answer).at("ask").as_string(), "/v1/claims/mine");
    EXPECT_EQ(answer.text("location"), "/v1/claims/mine");
}

TEST_F(HttpWaiting, GoesOnForAClientThatLeft) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    {
        HttpClient client = connect();
        client.send(http_request("POST /v1/campaigns/spring/claims", claim_of(1),
                                 "Idempotency-Key: mine\r\n"));
        ASSERT_TRUE(eventually([&] { return ask("GET /v1/claims/mine").status == 200; }));
    }
    stalled->rollback();
    ASSERT_TRUE(eventually([&] {
        return json_of(ask("GET /v1/claims/mine")).as_object().if_contains("position") != nullptr;
    }));
}

TEST_F(HttpWaiting, KeepsTheOrderOfPipelinedAnswers) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    HttpClient client = connect();
    client.send(
        http_request("POST /v1/campaigns/spring/claims", claim_of(1), "Idempotency-Key: mine\r\n") +
        http_request("GET /healthz") + http_request("GET /nowhere"));
    ASSERT_TRUE(eventually([&] { return ask("GET /v1/claims/mine").status == 200; }));
    stalled->rollback();
    EXPECT_EQ(client.receive().status, 201);
    EXPECT_EQ(client.receive().status, 200);
    EXPECT_EQ(client.receive().status, 404);
}

TEST_F(HttpWaiting, AnswersWhatIsPendingWhenItStops) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    HttpClient client = connect();
    client.send(
        http_request("POST /v1/campaigns/spring/claims", claim_of(1), "Idempotency-Key: mine\r\n"));
    ASSERT_TRUE(eventually([&] { return ask("GET /v1/claims/mine").status == 200; }));
    std::thread stopper([&] { server_->stop(clock_.mono() + std::chrono::seconds(2)); });
    const HttpAnswer answer = client.receive();
    stopper.join();
    EXPECT_EQ(answer.status, 202) << answer.body;
    EXPECT_EQ(answer.text("connection"), "close");
    stalled->rollback();
}

TEST_F(HttpWaiting, RefusesBeforeTheLineGrowsTooLong) {
    NodeOptions options;
    options.max_in_line = 10;
    start_node(options);
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    auto stalled = stall_store();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(claim(i, kAsync).status, 202);
    const HttpAnswer refused = claim(11, kAsync);
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(code_of(refused), "overloaded");
    stalled->rollback();
    ASSERT_TRUE(eventually([&] { return claim(11).status == 201; }));
}

TEST_F(HttpWaiting, SaysThatReservedUnitsMayComeBack) {
    start_all();
    create_campaign("spring", R"({"quantity":1})");
    auto stalled = stall_store();
    ASSERT_EQ(claim(1, kAsync).status, 202);
    const HttpAnswer refused = claim(2);
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(code_of(refused), "none_free");
    EXPECT_EQ(refused.text("retry-after"), "1");
    EXPECT_EQ(json_of(refused).at("left").to_number<int>(), 0);
    stalled->rollback();
    ASSERT_TRUE(eventually([&] { return code_of(claim(2)) == "sold_out"; }));
}

TEST_F(HttpWaiting, RefusesWhenTheDiskIsNearlyFull) {
    NodeOptions options;
    options.data_directory = directory();
    options.low_water_bytes = ~std::uint64_t{0};
    start_node(options);
    start_all();
    ASSERT_TRUE(eventually(
        [&] { return ask("PUT /v1/campaigns/spring", R"({"quantity":1})").status == 507; }));
    EXPECT_EQ(code_of(ask("PUT /v1/campaigns/spring", R"({"quantity":1})")), "no_space");
}

}  // namespace
}  // namespace penstock::test
