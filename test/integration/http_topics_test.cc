#include <boost/json/parse.hpp>
#include <sstream>

#include "penstock/log/partitioner.h"
#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

namespace json = boost::json;

class HttpTopics : public HttpNode {
protected:
    HttpTopics() {
        start_all();
        EXPECT_EQ(ask("POST /v1/topics", R"({"topic":"news","partitions":3})").status, 201);
    }
    json::array records(const std::string& query) {
        const HttpAnswer answer = ask("GET /v1/topics/news/records?" + query);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return json_of(answer).at("records").as_array();
    }
};

TEST_F(HttpTopics, AreCreatedShownAlteredAndDeleted) {
    const json::object made = json_of(ask("GET /v1/topics/news")).as_object();
    EXPECT_EQ(made.at("topic").as_string(), "news");
    EXPECT_EQ(made.at("partitions").as_array().size(), 3u);
    EXPECT_TRUE(made.at("retention_ms").is_null());
    EXPECT_EQ(code_of(ask("POST /v1/topics", R"({"topic":"news"})")), "exists");
    EXPECT_EQ(json_of(ask("GET /v1/topics")).at("topics").as_array().size(), 2u);

    const HttpAnswer altered =
        ask("PATCH /v1/topics/news", R"({"partitions":4,"retention_ms":1000})");
    ASSERT_EQ(altered.status, 200) << altered.body;
    EXPECT_EQ(json_of(altered).at("partitions").as_array().size(), 4u);
    EXPECT_EQ(json_of(altered).at("retention_ms").to_number<int>(), 1000);
    const HttpAnswer kept = ask("PATCH /v1/topics/news", R"({"retention_bytes":5})");
    EXPECT_EQ(json_of(kept).at("retention_ms").to_number<int>(), 1000);
    EXPECT_TRUE(json_of(ask("PATCH /v1/topics/news", R"({"retention_ms":null})"))
                    .at("retention_ms")
                    .is_null());
    EXPECT_EQ(code_of(ask("PATCH /v1/topics/news", R"({"partitions":2})")), "invalid");

    EXPECT_EQ(ask("DELETE /v1/topics/news").status, 204);
    EXPECT_EQ(code_of(ask("GET /v1/topics/news")), "not_found");
    EXPECT_EQ(code_of(ask("DELETE /v1/topics/news")), "not_found");
    EXPECT_EQ(code_of(ask("PATCH /v1/topics/news", "{}")), "not_found");
}

TEST_F(HttpTopics, OfTheNodeStay) {
    EXPECT_EQ(code_of(ask("DELETE /v1/topics/sale")), "topic_in_use");
    EXPECT_EQ(code_of(ask("PATCH /v1/topics/sale", R"({"partitions":2})")), "topic_in_use");
    EXPECT_EQ(ask("PATCH /v1/topics/sale", R"({"retention_ms":86400000})").status, 200);
}

TEST_F(HttpTopics, RefuseWhatIsNoTopic) {
    for (const char* body :
         {"", "{}", R"({"topic":""})", R"({"topic":".."})", R"({"topic":"a/b"})",
          R"({"topic":"a","partitions":0})", R"({"topic":"a","partitions":1025})",
          R"({"topic":"a","retention_ms":0})", R"({"topic":"a","retention_ms":"1d"})",
          R"({"topic":"a","colour":1})"}) {
        EXPECT_EQ(code_of(ask("POST /v1/topics", body)), "invalid") << body;
    }
}

TEST_F(HttpTopics, TakeRecordsWhereTheirKeyBelongs) {
    for (const std::string key : {"a", "b", "c", "d"}) {
        const HttpAnswer answer =
            ask("POST /v1/topics/news/records", R"({"key":")" + key + R"(","value":"v"})");
        ASSERT_EQ(answer.status, 201) << answer.body;
        EXPECT_EQ(json_of(answer).at("partition").to_number<std::uint32_t>(),
                  partition_of_key(as_bytes(key), 3).value());
    }
    const HttpAnswer chosen =
        ask("POST /v1/topics/news/records", R"({"key":"a","value":"v","partition":2})");
    EXPECT_EQ(json_of(chosen).at("partition").to_number<int>(), 2);
    EXPECT_EQ(ask("POST /v1/topics/news/records", R"({"value":"keyless"})").status, 201);
}

TEST_F(HttpTopics, GiveBackTheBytesThatTheyGot) {
    const char* text =
        R"({"key_base64":"AP8=","value":{"b":1,"a":[true,null]},"partition":0,)"
        R"("headers":[{"name":"h","value":"x"},{"name":"h","value_base64":"/w=="}]})";
    ASSERT_EQ(ask("POST /v1/topics/news/records", text).status, 201);
    ASSERT_EQ(ask("POST /v1/topics/news/records",
                  R"({"key":"k","value":null,"partition":0,"headers":{"n":"1"}})")
                  .status,
              201);
    ASSERT_EQ(ask("POST /v1/topics/news/records", R"({"value_base64":"","partition":0})").status,
              201);
    const json::array all = records("partition=0");
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].at("key_base64").as_string(), "AP8=");
    EXPECT_EQ(all[0].at("value").as_string(), R"({"b":1,"a":[true,null]})");
    EXPECT_EQ(all[0].at("headers").at(0).at("value").as_string(), "x");
    EXPECT_EQ(all[0].at("headers").at(1).at("value_base64").as_string(), "/w==");
    EXPECT_EQ(all[1].at("key").as_string(), "k");
    EXPECT_TRUE(all[1].at("value").is_null());
    EXPECT_EQ(all[1].at("offset").to_number<int>(), 1);
    EXPECT_EQ(all[2].at("value").as_string(), "");
    EXPECT_EQ(all[2].as_object().if_contains("key"), nullptr);
}

TEST_F(HttpTopics, AreReadFromAnyPlace) {
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(ask("POST /v1/topics/news/records",
                      R"({"partition":1,"value":")" + std::to_string(i) + "\"}")
                      .status,
                  201);
    }
    EXPECT_EQ(records("partition=1").size(), 5u);
    EXPECT_EQ(records("partition=0").size(), 0u);
    EXPECT_EQ(records("partition=1&offset=3").size(), 2u);
    EXPECT_EQ(records("partition=1&offset=start&limit=2").size(), 2u);
    EXPECT_EQ(records("partition=1&offset=end").size(), 0u);
    EXPECT_EQ(records("partition=1&time=2001-01-01T00:00:00Z").size(), 5u);
    EXPECT_EQ(records("partition=1&time=2999-01-01T00:00:00Z").size(), 0u);
    const json::object page =
        json_of(ask("GET /v1/topics/news/records?partition=1&limit=2")).as_object();
    EXPECT_EQ(page.at("next_offset").to_number<int>(), 2);
    EXPECT_EQ(page.at("start_offset").to_number<int>(), 0);
    EXPECT_EQ(page.at("end_offset").to_number<int>(), 5);

    EXPECT_EQ(ask("GET /v1/topics/news/records?partition=1&offset=6").status, 416);
    EXPECT_EQ(code_of(ask("GET /v1/topics/news/records?partition=1&offset=6")), "out_of_range");
    EXPECT_EQ(code_of(ask("GET /v1/topics/news/records?partition=3")), "not_found");
    EXPECT_EQ(code_of(ask("GET /v1/topics/none/records")), "not_found");
    for (const char* query :
         {"partition=x", "partition=-1", "offset=-1", "limit=0", "limit=1001", "time=now",
          "offset=1&time=2001-01-01T00:00:00Z", "a=b", "limit=1&limit=1", "offset=%zz"}) {
        EXPECT_EQ(code_of(ask("GET /v1/topics/news/records?" + std::string(query))), "invalid")
            << query;
    }
}

TEST_F(HttpTopics, TakeManyRecordsAtOnce) {
    const HttpAnswer answer =
        ask("POST /v1/topics/news/records",
            "{\"partition\":0,\"value\":\"a\"}\nnonsense\n{\"partition\":9,\"value\":\"b\"}\n"
            "{\"partition\":0,\"value\":\"c\"}\n",
            "Content-Type: application/x-ndjson\r\n");
    ASSERT_EQ(answer.status, 200) << answer.body;
    std::vector<int> statuses;
    std::istringstream text(answer.body);
    for (std::string line; std::getline(text, line);) {
        statuses.push_back(json::parse(line).at("status").to_number<int>());
    }
    EXPECT_EQ(statuses, (std::vector<int>{201, 400, 400, 201}));
    EXPECT_EQ(records("partition=0").size(), 2u);
}

TEST_F(HttpTopics, RefuseRecordsThatAreNone) {
    const std::string long_key(513, 'k');
    for (const std::string& body :
         {std::string(), std::string("{}"), std::string(R"({"key":"a"})"),
          std::string(R"({"key":"a","key_base64":"YQ==","value":"v"})"),
          std::string(R"({"key_base64":"Y","value":"v"})"),
          std::string(R"({"value":"v","partition":-1})"),
          std::string(R"({"value":"v","partition":3})"),
          std::string(R"({"value":"v","headers":[1]})"),
          std::string(R"({"value":"v","headers":{"a":1}})"),
          std::string(R"({"value":"v","more":1})"), R"({"value":"v","key":")" + long_key + "\"}"}) {
        const HttpAnswer answer = ask("POST /v1/topics/news/records", body);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(code_of(answer), "invalid") << body;
    }
    std::string headers;
    for (int i = 0; i < 33; ++i) {
        headers += (i ? ",\"h" : "\"h") + std::to_string(i) + "\":\"x\"";
    }
    const HttpAnswer many =
        ask("POST /v1/topics/news/records", R"({"value":"v","headers":{)" + headers + "}}");
    EXPECT_TRUE(many.status == 413 || many.status == 400) << many.body;
    EXPECT_EQ(code_of(ask("POST /v1/topics/none/records", R"({"value":"v"})")), "not_found");
}

TEST_F(HttpTopics, AreFollowed) {
    ASSERT_EQ(ask("POST /v1/topics/news/records", R"({"partition":0,"value":"old"})").status, 201);
    HttpClient from_start = connect(), from_end = connect();
    from_start.send(http_request("GET /v1/topics/news/stream?partition=0&offset=start"));
    from_end.send(http_request("GET /v1/topics/news/stream"));
    EXPECT_NE(from_start.receive_until("\"old\"").find("id: 0:0\ndata: {"), std::string::npos);
    const std::string head = from_end.receive_until(": connected");
    EXPECT_NE(head.find("Content-Type: text/event-stream"), std::string::npos);
    ASSERT_EQ(ask("POST /v1/topics/news/records", R"({"partition":0,"value":"new"})").status, 201);
    EXPECT_NE(from_start.receive_until("\"new\"").find("id: 0:1"), std::string::npos);
    const std::string events = from_end.receive_until("\"new\"");
    EXPECT_NE(events.find("id: 0:1"), std::string::npos);
    EXPECT_EQ(events.find("old"), std::string::npos);

    HttpClient again = connect();
    again.send(http_request("GET /v1/topics/news/stream", "", "Last-Event-ID: 0:0\r\n"));
    const std::string rest = again.receive_until("\"new\"");
    EXPECT_EQ(rest.find("old"), std::string::npos);
    EXPECT_NE(rest.find("id: 0:1"), std::string::npos);

    EXPECT_EQ(code_of(ask("GET /v1/topics/none/stream")), "not_found");
    EXPECT_EQ(code_of(ask("GET /v1/topics/news/stream?partition=7")), "not_found");
    EXPECT_EQ(code_of(ask("GET /v1/topics/news/stream?offset=soon")), "invalid");
}

TEST_F(HttpTopics, TakeCommandsFromForeignProducers) {
    ASSERT_EQ(ask("PUT /v1/campaigns/spring", R"({"quantity":5})").status, 201);
    // The owner decides, as for every command on the log.
    ASSERT_EQ(
        ask("POST /v1/topics/sale/records", R"({"key":"spring","value":{"user_id":"ada"},)"
                                            R"("headers":{"id":"foreign","type":"sale.claim"}})")
            .status,
        201);
    ASSERT_TRUE(eventually([&] { return ask("GET /v1/claims/foreign").status == 200; }));
    ASSERT_TRUE(eventually([&] {
        return json_of(ask("GET /v1/claims/foreign")).as_object().if_contains("position") !=
               nullptr;
    }));
}

TEST_F(HttpTopics, ShowKeysThatAreNoText) {
    ASSERT_EQ(ask("POST /v1/topics/sale/records", R"({"key_base64":"/w==","value":"junk"})").status,
              201);
    ASSERT_EQ(ask("PUT /v1/campaigns/spring", R"({"quantity":5})").status, 201);
    EXPECT_EQ(ask("GET /readyz").status, 200);
}

}  // namespace
}  // namespace penstock::test
