#include <sys/resource.h>

#include <atomic>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>

#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

#if defined(PENSTOCK_ASAN) || defined(PENSTOCK_TSAN)
constexpr bool kSanitized = true;  // their own memory counts many times ours
#else
constexpr bool kSanitized = false;
#endif

/// Bytes of memory that this process, server and clients, has had at most.
std::size_t peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
    }
    return 0;
}

/// Clients that mean harm, against one server and a client that means well.
class HttpHostile : public HttpNode {
protected:
    HttpHostile() {
        rlimit files{};
        ::getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
        room_ = std::min<std::size_t>(5'000, files.rlim_max / 2);
        start_all();
        create_campaign("spring", R"({"quantity":1000000})");
        good_ = std::thread([this] { ask_all_the_time(); });
    }
    ~HttpHostile() override {
        done_ = true;
        good_.join();
        EXPECT_GT(answered_, 0u);
        EXPECT_EQ(unanswered_, 0u);
        if (!kSanitized) {
            EXPECT_LT(peak_memory(), std::size_t{256} << 20);
        }
    }

    /// True when the good client has got some more answers.
    bool good_client_goes_on() {
        const std::size_t before = answered_;
        return eventually([&] { return answered_ >= before + 20; });
    }
    std::size_t room() const { return room_; }

private:
    void ask_all_the_time() {
        HttpClient kept = connect();
        for (int i = 0; !done_; ++i) {
            const std::string claim = http_request("POST /v1/campaigns/spring/claims",
                                                   R"({"user_id":")" + std::to_string(i) + "\"}");
            kept.send(claim);
            const bool kept_fine = kept.receive().status == 201;
            const bool fresh_fine = ask("GET /healthz").status == 200;
            ++(kept_fine && fresh_fine ? answered_ : unanswered_);
        }
    }

    std::size_t room_ = 0;
    std::atomic<bool> done_{false};
    std::atomic<std::size_t> answered_{0}, unanswered_{0};
    std::thread good_;
};

TEST_F(HttpHostile, SlowHeadersFromThousandsOfConnections) {
    std::deque<HttpClient> slow;
    for (std::size_t i = 0; i < room(); ++i) {
        slow.push_back(connect());
        slow.back().send("GET /healthz HTTP/1.1\r\nX-Slow: ");
        if (i % 7 == 0) slow[i / 2].send("x");
    }
    EXPECT_TRUE(good_client_goes_on());
    for (HttpClient& client : slow) client.send("x");
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, SlowBodies) {
    std::deque<HttpClient> slow;
    for (int i = 0; i < 1500; ++i) {
        slow.push_back(connect());
        slow.back().send(
            "POST /v1/commands/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            "1000000\r\n\r\n{");
    }
    EXPECT_TRUE(good_client_goes_on());
    for (HttpClient& client : slow) client.send("\"");
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, LargeBodiesThatAreNotFinished) {
    std::deque<HttpClient> large;
    std::atomic<bool> stop{false};
    std::vector<std::thread> senders;
    for (int i = 0; i < 500; ++i) large.push_back(connect());
    for (int k = 0; k < 4; ++k) {
        senders.emplace_back([&, k] {
            const std::string part(64 * 1024, ' ');
            for (std::size_t i = static_cast<std::size_t>(k); i < large.size() && !stop; i += 4) {
                large[i].send(
                    "POST /v1/campaigns/spring/claims:batch HTTP/1.1\r\nHost: "
                    "localhost\r\nContent-Length: 4000000\r\n\r\n");
                for (int n = 0; n < 30; ++n) {
                    if (!large[i].send(part)) break;  // the server has had enough
                }
            }
        });
    }
    EXPECT_TRUE(good_client_goes_on());
    for (std::thread& sender : senders) sender.join();
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, BodiesWithoutEnd) {
    HttpClient announced = connect();
    announced.send(
        "POST /v1/commands/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        "2147483648\r\n\r\n");
    EXPECT_EQ(announced.receive().status, 413);
    HttpClient endless = connect();
    endless.send(
        "POST /v1/commands/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\n");
    const std::string chunk = "8000\r\n" + std::string(0x8000, ' ') + "\r\n";
    std::size_t sent = 0;
    while (sent < 10'000 && endless.send(chunk)) ++sent;
    EXPECT_LT(sent, 10'000u) << "300 MiB were taken";
    HttpClient tiny = connect();
    tiny.send(
        "POST /v1/commands/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\n");
    std::string many;
    for (int i = 0; i < 100'000; ++i) many += "1\r\n \r\n";
    tiny.send(many + "0\r\n\r\n");
    EXPECT_EQ(tiny.receive().status, 400);
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, LinesWithoutEnd) {
    for (int i = 0; i < 50; ++i) {
        HttpClient client = connect();
        client.send(std::string(1 << 20, 'x'));
        EXPECT_EQ(client.receive().status, 431);
    }
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, JsonThatIsDeepOrRepeatsItself) {
    std::string repeated = "{";
    while (repeated.size() < 1'000'000) repeated += "\"user_id\":1,";
    repeated.back() = '}';
    std::string distinct = "{\"key\":\"k\",\"data\":{";
    for (int i = 0; distinct.size() < 1'000'000; ++i) {
        distinct += "\"" + std::to_string(i) + "\":0,";
    }
    distinct.back() = '}';
    distinct += '}';
    for (int i = 0; i < 5; ++i) {
        for (const char* call : {"POST /v1/campaigns/spring/claims", "POST /v1/commands/x"}) {
            EXPECT_EQ(ask(call, std::string(1'000'000, '[')).status, 400);
            EXPECT_EQ(ask(call, repeated).status, 400);
            EXPECT_EQ(ask(call, "{\"user_id\":\"\xc3\x28\"}").status, 400);
        }
        EXPECT_EQ(ask("POST /v1/commands/x", distinct).status, 404);
    }
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, ClientsThatNeverRead) {
    std::deque<HttpClient> deaf;
    std::string many;
    for (int i = 0; i < 64; ++i) many += http_request("GET /openapi.json");
    for (int i = 0; i < 300; ++i) {
        deaf.push_back(connect());
        deaf.back().read_slowly();
        deaf.back().send(many);
    }
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, StreamsBeyondTheirNumber) {
    ASSERT_EQ(ask("POST /v1/topics", R"({"topic":"news"})").status, 201);
    std::deque<HttpClient> listeners;
    int refused = 0;
    for (int i = 0; i < 100; ++i) {
        listeners.push_back(connect());
        listeners.back().send(http_request("GET /v1/topics/news/stream"));
        refused += listeners.back().receive_until("\r\n").starts_with("HTTP/1.1 503");
    }
    EXPECT_EQ(refused, 100 - 64);
    listeners.clear();
    EXPECT_TRUE(eventually([&] {
        HttpClient late = connect();
        late.send(http_request("GET /v1/topics/news/stream"));
        return late.receive_until("\r\n").starts_with("HTTP/1.1 200");
    }));
    EXPECT_TRUE(good_client_goes_on());
}

TEST_F(HttpHostile, ConnectionsThatComeAndGo) {
    for (int i = 0; i < 3000; ++i) {
        HttpClient client = connect();
        if (i % 3 == 0) client.send("POST /v1/campaigns/spring/claims HTTP/1.1\r\nHost: loc");
        if (i % 3 == 1) client.send(http_request("GET /v1/campaigns/spring/claims"));
    }
    EXPECT_TRUE(good_client_goes_on());
}

}  // namespace
}  // namespace penstock::test
