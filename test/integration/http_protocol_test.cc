#include <unistd.h>

#include <fstream>

#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

/// The protocol, before the node is started: /healthz answers all the same.
class HttpProtocol : public HttpNode {
protected:
    void begin(http::HttpLimits limits = {}) {
        http::HttpOptions options;
        options.limits = limits;
        options.allowed_hosts = {"shop.example"};
        start_http(std::move(options));
    }
    HttpAnswer raw(const std::string& bytes) {
        HttpClient client = connect();
        client.send(bytes);
        return client.receive();
    }
};

struct Refusal {
    const char* name;
    std::string request;
    int status;
    const char* code;
    bool ends;  ///< the connection ends
};

const std::string kGet = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
const std::string kPost = "PATCH /v1/runtime HTTP/1.1\r\nHost: localhost\r\n";

std::string many_fields(int n) {
    std::string out = kGet;
    for (int i = 0; i < n; ++i) out += "X-" + std::to_string(i) + ": 1\r\n";
    return out + "\r\n";
}

const Refusal kRefusals[] = {
    {"NotHttp", "hello\r\n\r\n", 400, "bad_request", true},
    {"BadVersion", "GET / HTTP/2.0\r\n\r\n", 505, "http_version_not_supported", true},
    {"BareLineFeeds", "GET /healthz HTTP/1.1\r\nHost: localhost\nA: b\r\n\r\n", 400, "bad_request",
     true},
    {"SpaceBeforeColon", kGet + "A : b\r\n\r\n", 400, "bad_request", true},
    {"ZeroInField", kGet + "A: b" + std::string(1, '\0') + "\r\n\r\n", 400, "bad_request", true},
    {"FoldedField", kGet + "A: b\r\n c\r\n\r\n", 400, "folded_field", true},
    {"FoldedWithTab", kGet + "A: b\r\n\tc\r\n\r\n", 400, "folded_field", true},
    {"LengthAndChunked", kPost + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, "bad_transfer_encoding", true},
    {"ChunkedAndLength", kPost + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
     400, "bad_content_length", true},
    {"TwoLengths", kPost + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400,
     "bad_content_length", true},
    {"LengthList", kPost + "Content-Length: 2, 2\r\n\r\n{}", 400, "bad_content_length", true},
    {"NegativeLength", kPost + "Content-Length: -2\r\n\r\n", 400, "bad_content_length", true},
    {"PlusLength", kPost + "Content-Length: +2\r\n\r\n{}", 400, "bad_content_length", true},
    {"HugeLength", kPost + "Content-Length: 99999999999999999999999\r\n\r\n", 400,
     "bad_content_length", true},
    {"OtherCoding", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400,
     "bad_transfer_encoding", true},
    {"IdentityCoding", kPost + "Transfer-Encoding: identity\r\n\r\n", 400, "bad_transfer_encoding",
     true},
    {"TwoCodings", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "bad_transfer_encoding", true},
    {"ChunkedInOldVersion",
     "PATCH /v1/runtime HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "bad_transfer_encoding", true},
    {"NegativeChunk", kPost + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400,
     "bad_chunk", true},
    {"HexPrefixChunk", kPost + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400,
     "bad_chunk", true},
    {"ChunkTooLong", kPost + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400,
     "bad_chunk", true},
    {"HugeChunk", kPost + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413,
     "body_too_large", true},
    {"OverflowingChunk", kPost + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400,
     "bad_chunk", true},
    {"BodyTooLarge", kPost + "Content-Length: 1048577\r\n\r\n", 413, "body_too_large", true},
    {"HeaderTooLarge", kGet + "A: " + std::string(9000, 'x') + "\r\n\r\n", 431, "header_too_large",
     true},
    {"NoLineEnd", std::string(9000, 'x'), 431, "header_too_large", true},
    {"TooManyFields", many_fields(100), 431, "too_many_fields", true},
    {"NoHost", "GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_host", false},
    {"TwoHosts", kGet + "Host: localhost\r\n\r\n", 400, "bad_host", false},
    {"ForeignHost", "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "unknown_host",
     false},
    {"HostWithStrangePort", "GET /healthz HTTP/1.1\r\nHost: localhost:evil\r\n\r\n", 421,
     "unknown_host", false},
    {"ForeignHostInTarget", "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
     421, "unknown_host", false},
    {"ForeignOrigin", kGet + "Origin: https://evil.example\r\n\r\n", 403, "foreign_origin", false},
    {"NullOrigin", kGet + "Origin: null\r\n\r\n", 403, "foreign_origin", false},
    {"UnknownExpectation", kGet + "Expect: magic\r\n\r\n", 417, "expectation_failed", false},
    {"NoSuchPath", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "no_such_path", false},
    {"BadEscape", "GET /v1/claims/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_target",
     false},
    {"WrongMethod", "DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405,
     "method_not_allowed", false},
    {"UnknownMethod", "BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405,
     "method_not_allowed", false},
};

TEST_F(HttpProtocol, RefusesWhatIsMalformed) {
    begin();
    for (const Refusal& refusal : kRefusals) {
        SCOPED_TRACE(refusal.name);
        HttpClient client = connect();
        ASSERT_TRUE(client.send(refusal.request));
        const HttpAnswer answer = client.receive();
        EXPECT_EQ(answer.status, refusal.status) << answer.body;
        EXPECT_EQ(code_of(answer), refusal.code);
        if (refusal.ends) {
            EXPECT_EQ(answer.text("connection"), "close");
            EXPECT_TRUE(client.ended());
        } else {
            ASSERT_TRUE(client.send(kGet + "\r\n"));
            EXPECT_EQ(client.receive().status, 200);
        }
        EXPECT_EQ(answer.text("allow"), answer.status == 405 ? "GET, HEAD" : "");
    }
}

TEST_F(HttpProtocol, RefusesTheSameHoweverTheBytesAreCut) {
    begin();
    for (const Refusal& refusal : kRefusals) {
        if (refusal.request.size() > 1000) continue;
        SCOPED_TRACE(refusal.name);
        HttpClient client = connect();
        for (const char byte : refusal.request) {
            if (!client.send({&byte, 1})) break;  // it was refused before its end
        }
        EXPECT_EQ(code_of(client.receive()), refusal.code);
    }
}

TEST_F(HttpProtocol, ReadsARequestCutAtEveryByte) {
    begin();
    const std::string whole =
        kPost +
        "Transfer-Encoding: chunked\r\n\r\n6;a=b\r\n{\"max_\r\n13\r\nrows_per_s\": 12345}"
        "\r\n0\r\nTrailer: x\r\n\r\n";
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        HttpClient client = connect();
        ASSERT_TRUE(client.send(whole.substr(0, cut)));
        ASSERT_TRUE(client.send(whole.substr(cut)));
        const HttpAnswer answer = client.receive();
        ASSERT_EQ(answer.status, 200) << "cut at " << cut << ": " << answer.body;
        ASSERT_EQ(json_of(answer).at("max_rows_per_s").to_number<int>(), 12345);
    }
}

TEST_F(HttpProtocol, AnswersPipelinedRequestsInOrder) {
    begin();
    HttpClient client = connect();
    std::string many;
    for (int i = 0; i < 200; ++i) {
        many += kGet + "\r\n" + http_request("GET /nowhere" + std::to_string(i));
    }
    ASSERT_TRUE(client.send(many));
    for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(client.receive().status, 200);
        ASSERT_EQ(client.receive().status, 404);
    }
}

TEST_F(HttpProtocol, AllowsKnownHostsAndTheirOrigins) {
    begin();
    for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]",
                             "[::1]:8080", "shop.example", "shop.example:443"}) {
        EXPECT_EQ(raw("GET /healthz HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n").status,
                  200)
            << host;
    }
    EXPECT_EQ(raw(kGet + "Origin: http://localhost:3000\r\n\r\n").status, 200);
    EXPECT_EQ(raw(kGet + "Origin: https://shop.example\r\n\r\n").status, 200);
}

TEST_F(HttpProtocol, AnswersHeadWithoutABody) {
    begin();
    HttpClient client = connect();
    client.send("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + kGet + "\r\n");
    const HttpAnswer head = client.receive(true);
    EXPECT_EQ(head.status, 200);
    const HttpAnswer get = client.receive();
    EXPECT_EQ(get.status, 200);
    EXPECT_EQ(head.text("content-length"), std::to_string(get.body.size()));
}

TEST_F(HttpProtocol, SpeaksTheOldVersion) {
    begin();
    HttpClient once = connect();
    once.send("GET /healthz HTTP/1.0\r\n\r\n");
    EXPECT_EQ(once.receive().status, 200);
    EXPECT_TRUE(once.ended());

    HttpClient kept = connect();
    for (int i = 0; i < 2; ++i) {
        kept.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
        const HttpAnswer answer = kept.receive();
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.text("connection"), "keep-alive");
    }
}

TEST_F(HttpProtocol, EndsTheConnectionThatAsksForIt) {
    begin();
    HttpClient client = connect();
    client.send(kGet + "Connection: close\r\n\r\n" + kGet + "\r\n");
    const HttpAnswer answer = client.receive();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.text("connection"), "close");
    EXPECT_TRUE(client.ended());
}

TEST_F(HttpProtocol, AnswersAClientThatHasStoppedSending) {
    begin();
    HttpClient client = connect();
    client.send(kGet + "\r\n");
    client.end_sending();
    EXPECT_EQ(client.receive().status, 200);
    EXPECT_TRUE(client.ended());
}

TEST_F(HttpProtocol, AsksForTheBodyThatIsHeldBack) {
    begin();
    HttpClient client = connect();
    client.send(kPost + "Content-Length: 21\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.receive().status, 100);
    client.send("{\"max_rows_per_s\": 7}");
    EXPECT_EQ(client.receive().status, 200);

    HttpClient refused = connect();
    refused.send(
        "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(refused.receive().status, 404);
    EXPECT_TRUE(refused.ended());
}

TEST_F(HttpProtocol, ForgivesOneEmptyLineBeforeARequest) {
    begin();
    EXPECT_EQ(raw("\r\n" + kGet + "\r\n").status, 200);
}

TEST_F(HttpProtocol, ReadsTheBodyOfARequestThatItRefuses) {
    begin();
    HttpClient client = connect();
    client.send(http_request("POST /nowhere", "some body") + kGet + "\r\n");
    EXPECT_EQ(client.receive().status, 404);
    EXPECT_EQ(client.receive().status, 200);
}

TEST_F(HttpProtocol, EndsSlowHeaders) {
    begin();
    HttpClient silent = connect(), slow = connect();
    slow.send("GET /heal");
    // Both are known to the server once it has answered somebody who came later.
    EXPECT_EQ(ask("GET /healthz").status, 200);
    clock_.forward(std::chrono::seconds(11));
    EXPECT_EQ(code_of(slow.receive()), "request_timeout");
    EXPECT_TRUE(slow.ended());
    EXPECT_TRUE(silent.ended());
}

TEST_F(HttpProtocol, EndsIdleConnections) {
    begin();
    HttpClient client = connect();
    client.send(kGet + "\r\n");
    EXPECT_EQ(client.receive().status, 200);
    clock_.forward(std::chrono::seconds(11));
    client.send(kGet + "\r\n");
    EXPECT_EQ(client.receive().status, 200);
    clock_.forward(std::chrono::seconds(61));
    EXPECT_TRUE(client.ended());
}

TEST_F(HttpProtocol, EndsSlowBodies) {
    begin();
    HttpClient client = connect();
    client.send(kPost + "Content-Length: 100000\r\n\r\n" + std::string(10'000, ' '));
    EXPECT_EQ(ask("GET /healthz").status, 200);
    clock_.forward(std::chrono::seconds(20));  // 10,000 bytes are enough for less than 10
    EXPECT_EQ(code_of(client.receive()), "request_timeout");
    EXPECT_TRUE(client.ended());
}

TEST_F(HttpProtocol, EndsConnectionsThatDoNotRead) {
    begin();
    HttpClient client = connect();
    client.read_slowly();
    // More answers than the buffers of both sides hold.
    std::string many;
    for (int i = 0; i < 60; ++i) many += http_request("GET /openapi.json") + kGet + "\r\n";
    for (int i = 0; i < 20; ++i) client.send(many);
    EXPECT_EQ(ask("GET /healthz").status, 200);
    EXPECT_TRUE(eventually([&] {
        clock_.forward(std::chrono::seconds(31));
        return ask("GET /metrics").body.find("penstock_http_connections 1\n") != std::string::npos;
    }));
}

TEST_F(HttpProtocol, EndsTheOldestConnectionWithoutAHeaderFirst) {
    http::HttpLimits limits;
    limits.connections = 8;
    begin(limits);
    HttpClient good = connect();
    good.send(kGet + "\r\n");
    EXPECT_EQ(good.receive().status, 200);
    std::vector<HttpClient> silent;
    for (int i = 0; i < 7; ++i) {
        silent.push_back(connect());
        silent.back().send("GET /");
    }
    HttpClient late = connect();
    late.send(kGet + "\r\n");
    EXPECT_EQ(late.receive().status, 200);
    EXPECT_TRUE(silent[0].ended());
    silent[1].send("healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(silent[1].receive().status, 200);
    good.send(kGet + "\r\n");
    EXPECT_EQ(good.receive().status, 200);
}

TEST_F(HttpProtocol, ListensOnAUnixSocketToo) {
    http::HttpOptions options;
    options.unix_path = directory() + "/http.sock";
    start_http(options);
    HttpClient client(*options.unix_path);
    client.send(kGet + "\r\n");
    EXPECT_EQ(client.receive().status, 200);
    server_->stop(clock_.mono() + std::chrono::seconds(5));
    EXPECT_NE(::access(options.unix_path->c_str(), F_OK), 0);
}

TEST_F(HttpProtocol, RefusesAddressesBeyondThisHost) {
    start_node();
    for (const char* listen : {"0.0.0.0:0", "[::]:0", "192.168.1.1:80", "example.org:80", ":80"}) {
        http::HttpOptions options;
        options.listen = listen;
        auto server = http::HttpServer::start(options, env_, *node_, *log_, *gate_, metrics_);
        ASSERT_FALSE(server);
        EXPECT_EQ(server.error().code, Code::unsafe) << listen;
        EXPECT_NE(server.error().text.find("allowed_hosts"), std::string::npos);
    }
    for (const char* listen : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"}) {
        http::HttpOptions options;
        options.listen = listen;
        auto server = http::HttpServer::start(options, env_, *node_, *log_, *gate_, metrics_);
        ASSERT_FALSE(server);
        EXPECT_EQ(server.error().code, Code::invalid) << listen;
    }
}

TEST_F(HttpProtocol, SaysThatAPortIsTaken) {
    begin();
    http::HttpOptions options;
    options.listen = "127.0.0.1:" + std::to_string(server_->port());
    auto second = http::HttpServer::start(options, env_, *node_, *log_, *gate_, metrics_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::unreachable);

    const std::string path = directory() + "/file";
    std::ofstream(path) << "not a socket";
    options.listen = "127.0.0.1:0";
    options.unix_path = path;
    auto third = http::HttpServer::start(options, env_, *node_, *log_, *gate_, metrics_);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, Code::invalid);
    EXPECT_EQ(::access(path.c_str(), F_OK), 0) << "somebody else's file was removed";
}

TEST_F(HttpProtocol, StopsAtOnceWhenNothingIsPending) {
    begin();
    HttpClient client = connect();
    client.send(kGet + "\r\n");
    EXPECT_EQ(client.receive().status, 200);
    server_->stop(clock_.mono() + std::chrono::hours(1));
    EXPECT_TRUE(client.ended());
    EXPECT_FALSE(connect().connected());
}

}  // namespace
}  // namespace penstock::test
