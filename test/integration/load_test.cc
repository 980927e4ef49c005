#include "penstock/edge/load/load.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "penstock/verify/verify.h"
#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

using load::LoadOptions;
using load::LoadReport;

/// The id of a single claim's request.
std::string id_in(const std::string& request) {
    static const std::string kName = "Idempotency-Key: ";
    return request.substr(request.find(kName) + kName.size(), 36);
}

std::string http_answer(int status, const std::string& body, const std::string& fields = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// A server that says what the test wants. Threads: one of its own, which calls `say`.
class ScriptedServer {
public:
    /// What is sent, piece by piece; no piece: the connection ends.
    using Say = std::function<std::vector<std::string>(const std::string& request)>;

    explicit ScriptedServer(Say say) : say_(std::move(say)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_, 64), 0);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        EXPECT_EQ(::pipe(stop_), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~ScriptedServer() {
        ::close(stop_[1]);
        thread_.join();
        for (const auto& [fd, input] : inputs_) ::close(fd);
        ::close(stop_[0]);
        ::close(listener_);
    }
    std::uint16_t port() const { return port_; }

private:
    void serve() {
        while (true) {
            std::vector<pollfd> waiting{{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
            for (const auto& [fd, input] : inputs_) waiting.push_back({fd, POLLIN, 0});
            ::poll(waiting.data(), waiting.size(), -1);
            if (waiting[0].revents != 0) return;
            if (waiting[1].revents != 0) inputs_[::accept(listener_, nullptr, nullptr)];
            for (std::size_t i = 2; i < waiting.size(); ++i) {
                if (waiting[i].revents != 0) receive(waiting[i].fd);
            }
        }
    }
    void receive(int fd) {
        char bytes[65536];
        const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
        std::string& input = inputs_[fd];
        if (n > 0) input.append(bytes, static_cast<std::size_t>(n));
        if (n <= 0 || (input.ends_with('}') && !answer(fd, input))) {
            ::close(fd);
            inputs_.erase(fd);
        }
    }
    bool answer(int fd, std::string& input) {
        const auto pieces = say_(std::exchange(input, ""));
        for (const std::string& piece : pieces) {
            if (::send(fd, piece.data(), piece.size(), MSG_NOSIGNAL) < 0) return false;
        }
        return !pieces.empty();
    }

    const Say say_;
    int listener_ = -1, stop_[2] = {-1, -1};
    std::uint16_t port_ = 0;
    std::map<int, std::string> inputs_;
    std::thread thread_;
};

LoadOptions against(std::uint16_t port, std::uint64_t requests, std::uint32_t users) {
    LoadOptions options;
    options.server.host = "127.0.0.1";
    options.server.port = port;
    options.campaign = "spring";
    options.requests = requests;
    options.users = users;
    return options;
}

LoadReport run(const LoadOptions& options) {
    auto report = load::run_load(system_env(), options);
    EXPECT_TRUE(report) << report.error().text;
    return report ? std::move(*report) : LoadReport();
}

TEST(Load, SendsTheSameIdAgainUntilThereIsAnAnswer) {
    std::map<std::string, int> attempts;
    ScriptedServer server([&](const std::string& request) -> std::vector<std::string> {
        const std::string id = id_in(request);
        switch (attempts[id]++) {
            case 0:
                return {};
            case 1:
                return {http_answer(202, "{}")};
            case 2:
                return {http_answer(504, R"({"code":"unknown"})", "Connection: close\r\n")};
            case 3:
                return {http_answer(503, R"({"code":"not_ready"})")};
            default:
                return {http_answer(201, R"({"claim_id":")" + id + "\"}")};
        }
    });
    LoadOptions options = against(server.port(), 20, 4);
    options.retry = true;
    const LoadReport report = run(options);
    EXPECT_EQ(report.granted, 20u);
    EXPECT_EQ(report.retries, 80u);
    EXPECT_EQ(report.broken, 20u);
    EXPECT_EQ(report.waiting, 40u);
    EXPECT_EQ(report.unavailable, 20u);
    EXPECT_EQ(report.unanswered, 0u);
    EXPECT_EQ(report.requests, 100u);
    EXPECT_TRUE(report.ok(options));
    EXPECT_EQ(attempts.size(), 20u);
}

TEST(Load, WithoutRetryEachClaimIsSentOnce) {
    std::set<std::string> ids;
    int n = 0;
    ScriptedServer server([&](const std::string& request) -> std::vector<std::string> {
        EXPECT_TRUE(ids.insert(id_in(request)).second);
        if (++n % 2 == 0) return {};
        return {http_answer(409, R"({"status":409,"code":"sold_out"})")};
    });
    const LoadReport report = run(against(server.port(), 10, 1));
    EXPECT_EQ(report.refused, 5u);
    EXPECT_EQ(report.broken, 5u);
    EXPECT_EQ(report.unanswered, 5u);
    EXPECT_EQ(report.codes, (std::map<std::string, std::uint64_t>{{"sold_out", 5}}));
    EXPECT_EQ(report.statuses, (std::map<int, std::uint64_t>{{0, 5}, {409, 5}}));
}

TEST(Load, ReadsAnswersInPieces) {
    ScriptedServer server([](const std::string& request) {
        const std::string whole = http_answer(201, id_in(request));
        std::vector<std::string> pieces;
        for (const char c : whole) pieces.emplace_back(1, c);
        return pieces;
    });
    EXPECT_EQ(run(against(server.port(), 50, 3)).granted, 50u);
}

TEST(Load, FailsWhenARepeatIsToldSomethingElse) {
    std::map<std::string, int> told;
    int answers = 0;
    ScriptedServer server([&](const std::string& request) -> std::vector<std::string> {
        const bool first = told[id_in(request)]++ == 0;
        return {http_answer(first ? 201 : 200, std::to_string(++answers))};
    });
    LoadOptions options = against(server.port(), 400, 2);
    options.repeat_fraction = 0.2;
    const LoadReport report = run(options);
    EXPECT_EQ(report.granted, told.size());
    EXPECT_EQ(report.repeated, 400 - told.size());
    EXPECT_EQ(report.mismatches, report.repeated);
    EXPECT_NE(report.first_mismatch, "");
    EXPECT_FALSE(report.ok(options));
}

TEST(Load, SaysThatNobodyListens) {
    std::uint16_t port = 0;
    {
        port = ScriptedServer([](const std::string&) { return std::vector<std::string>(); }).port();
    }
    LoadOptions options = against(port, 10, 2);
    const auto report = load::run_load(system_env(), options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Code::unreachable);
    options.retry = true;
    options.patience = std::chrono::milliseconds(50);
    const auto later = load::run_load(system_env(), options);
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, Code::unreachable);
}

class LoadOnNode : public HttpNode {
protected:
    LoadOptions options(std::uint64_t requests, std::uint32_t users) const {
        return against(server_->port(), requests, users);
    }
    std::uint64_t granted_by_node() const {
        const auto campaign = json_of(ask("GET /v1/campaigns/spring"));
        return campaign.at("granted").to_number<std::uint64_t>();
    }
    /// The independent model's word on what the callers were told.
    void verify_with(const std::string& history) const {
        auto reader = store_->open(Role::reader, SessionLimits{});
        ASSERT_TRUE(reader) << reader.error().text;
        std::ifstream lines(history);
        verify::VerifyInput input{*log_, **reader, system_env().clock.wall()};
        input.dedup_horizon = std::chrono::hours(24 * 7);
        input.history = &lines;
        const auto verdict = verify::verify(input);
        ASSERT_TRUE(verdict) << verdict.error().text;
        EXPECT_TRUE(verdict->ok()) << to_text(*verdict);
    }
};

TEST_F(LoadOnNode, SellsAllUnitsAndTheModelAgreesWithTheHistory) {
    start_all();
    create_campaign("spring", R"({"quantity":500,"per_user":1})");
    LoadOptions wanted = options(2000, 32);
    wanted.repeat_fraction = 0.1;
    wanted.history = directory() + "/history";
    const LoadReport report = run(wanted);
    EXPECT_EQ(report.granted, 500u);
    EXPECT_EQ(report.answered, 2000u);
    EXPECT_EQ(report.granted + report.refused + report.repeated, 2000u);
    EXPECT_GT(report.repeated, 0u);
    EXPECT_EQ(report.mismatches, 0u) << report.first_mismatch;
    EXPECT_EQ(report.latency.count(), 2000u);
    EXPECT_EQ(granted_by_node(), 500u);
    verify_with(wanted.history);
}

TEST_F(LoadOnNode, ClaimsInBatches) {
    start_all();
    create_campaign("spring", R"({"quantity":3000,"per_user":1})");
    LoadOptions wanted = options(5'050, 4);
    wanted.batch = 1000;
    wanted.repeat_fraction = 0.1;
    wanted.retry = true;
    wanted.history = directory() + "/history";
    const LoadReport report = run(wanted);
    EXPECT_EQ(report.granted, 3000u);
    EXPECT_EQ(report.unanswered, 0u);
    EXPECT_EQ(report.granted + report.refused + report.repeated, 5'050u);
    EXPECT_EQ(report.mismatches, 0u) << report.first_mismatch;
    EXPECT_EQ(granted_by_node(), 3000u);
    verify_with(wanted.history);
}

TEST_F(LoadOnNode, KeepsARateWhateverTheAnswersAre) {
    start_all();
    create_campaign("spring", R"({"quantity":1000})");
    LoadOptions wanted = options(300, 8);
    wanted.rate = 1000;
    wanted.quantity = 2;
    const LoadReport report = run(wanted);
    EXPECT_EQ(report.granted, 300u);
    EXPECT_EQ(granted_by_node(), 600u);
    EXPECT_GE(report.seconds, 0.299);  // the last one is not begun before its time
}

TEST_F(LoadOnNode, EndsAfterItsTimeAndTellsProgress) {
    start_all();
    create_campaign("spring", R"({"quantity":100000})");
    LoadOptions wanted = options(0, 4);
    wanted.duration = std::chrono::milliseconds(300);
    std::uint64_t calls = 0, last = 0;
    const auto report =
        load::run_load(system_env(), wanted, [&](const load::LoadProgress& progress) {
            ++calls;
            EXPECT_GE(progress.granted, last);
            last = progress.granted;
        });
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_GE(calls, 2u);
    EXPECT_EQ(last, report->granted);
    EXPECT_EQ(granted_by_node(), report->granted);
    const auto json = boost::json::parse(load::to_json(*report));
    EXPECT_EQ(json.at("granted").to_number<std::uint64_t>(), report->granted);
    EXPECT_NE(load::to_text(*report).find("p99.9"), std::string::npos);
}

}  // namespace
}  // namespace penstock::test
