#include "test/kit/fault_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>
#include <vector>

#include "penstock/base/check.h"
#include "penstock/base/env.h"
#include "penstock/base/guarded.h"

namespace penstock::test {
namespace {

constexpr int kPatienceMs = 30'000;

/// Answers each line with the same line in brackets and keeps what it was told. Threads: any.
class LineServer {
public:
    LineServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        PENSTOCK_CHECK(::bind(listener_, raw, size) == 0);
        PENSTOCK_CHECK(::getsockname(listener_, raw, &size) == 0);
        PENSTOCK_CHECK(::listen(listener_, 16) == 0);
        port_ = ntohs(address.sin_port);
        task_ = system_env().executor.spawn("line-server", [this] { run(); });
    }
    ~LineServer() {
        ::shutdown(listener_, SHUT_RDWR);
        task_.reset();
        ::close(listener_);
    }

    int port() const { return port_; }
    std::string told() {
        return told_.with([](const std::string& told) { return told; });
    }

private:
    void run() {
        for (;;) {
            const int client = ::accept(listener_, nullptr, nullptr);
            if (client < 0) return;
            serve(client);
            ::close(client);
        }
    }
    void serve(int client) {
        std::string line;
        char byte = 0;
        while (::recv(client, &byte, 1, 0) == 1) {
            told_.with([&](std::string& told) { told += byte; });
            if (byte != '\n') {
                line += byte;
                continue;
            }
            const std::string answer = "[" + line + "]";
            if (::send(client, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;
            line.clear();
        }
    }

    const int listener_;
    int port_ = 0;
    Guarded<std::string> told_;
    std::unique_ptr<Task> task_;
};

class Client {
public:
    explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
        PENSTOCK_CHECK(::connect(fd_, raw, sizeof address) == 0);
    }
    ~Client() { ::close(fd_); }

    void send(std::string_view text) {
        PENSTOCK_CHECK(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) ==
                       static_cast<ssize_t>(text.size()));
    }
    /// The next bytes; "end" or "reset" for how the connection ended, "silence" if none came.
    std::string receive(std::size_t bytes, int wait_ms = kPatienceMs) {
        std::string text;
        while (text.size() < bytes) {
            pollfd wait{fd_, POLLIN, 0};
            if (::poll(&wait, 1, wait_ms) == 0) return text + "silence";
            char byte = 0;
            const ssize_t got = ::recv(fd_, &byte, 1, 0);
            if (got == 0) return text + "end";
            if (got < 0) return text + "reset";
            text += byte;
        }
        return text;
    }
    std::string ask(std::string_view line) {
        send(std::string(line) + "\n");
        return receive(line.size() + 2);
    }

private:
    const int fd_;
};

class FaultProxyTest : public testing::Test {
protected:
    LineServer server_;
    FaultProxy proxy_{server_.port()};
};

TEST_F(FaultProxyTest, ForwardsBothWaysAndEndsWithTheClient) {
    Client client(proxy_.port());
    EXPECT_EQ(client.ask("one"), "[one]");
    EXPECT_EQ(client.ask(std::string(200'000, 'x')), "[" + std::string(200'000, 'x') + "]");
    EXPECT_EQ(proxy_.connections(), 1u);
    EXPECT_EQ(proxy_.forwarded(Way::up), 4u + 200'001u);
}

TEST_F(FaultProxyTest, SwallowsTheReplyToARequestThatTheServerGot) {
    proxy_.swallow_reply("COMMIT");
    {
        Client client(proxy_.port());
        EXPECT_EQ(client.ask("one"), "[one]");
        client.send("COM");
        EXPECT_EQ(client.receive(1, 20), "silence");
        client.send("MIT\n");
        EXPECT_EQ(client.receive(1), "reset");
    }
    EXPECT_TRUE(proxy_.wait_swallowed(1));
    EXPECT_EQ(server_.told(), "one\nCOMMIT\n");
    Client client(proxy_.port());
    EXPECT_EQ(client.ask("COMMIT"), "[COMMIT]") << "only one was to be swallowed";
    EXPECT_EQ(proxy_.swallowed(), 1u);
}

TEST_F(FaultProxyTest, CutsBeforeARequestThatTheServerNeverGets) {
    proxy_.cut_before("two", 2);
    for (int i = 0; i < 2; ++i) {
        Client client(proxy_.port());
        EXPECT_EQ(client.ask("one"), "[one]");
        EXPECT_EQ(client.ask("two"), "reset");
    }
    EXPECT_EQ(proxy_.cuts(), 2u);
    Client client(proxy_.port());
    EXPECT_EQ(client.ask("two"), "[two]");
    EXPECT_EQ(server_.told(), "one\none\ntwo\n");
}

TEST_F(FaultProxyTest, CutsAfterAsManyBytes) {
    proxy_.cut_after(Way::down, 7);
    Client client(proxy_.port());
    EXPECT_EQ(client.ask("one"), "[one]");
    // The reset may overtake the two bytes before it.
    const std::string got = client.ask("two");
    EXPECT_TRUE(got == "[treset" || got == "[reset" || got == "reset") << got;
    EXPECT_TRUE(proxy_.wait_cuts(1));
    EXPECT_EQ(proxy_.forwarded(Way::down), 7u);
}

TEST_F(FaultProxyTest, HoldsAWayBackAndLetsItGoOn) {
    Client client(proxy_.port());
    EXPECT_EQ(client.ask("one"), "[one]");
    for (const Way way : {Way::up, Way::down}) {
        proxy_.blackhole(way, true);
        client.send("two\n");
        EXPECT_EQ(client.receive(1, 20), "silence");
        proxy_.blackhole(way, false);
        EXPECT_EQ(client.receive(5), "[two]");
    }
}

TEST_F(FaultProxyTest, DelaysWithoutChangingTheOrder) {
    using namespace std::chrono_literals;
    Client client(proxy_.port());
    proxy_.delay(Way::down, 30ms);
    client.send("one\ntwo\n");
    EXPECT_EQ(client.receive(10), "[one][two]");
}

TEST_F(FaultProxyTest, ResetsAllAndRefusesNewOnes) {
    Client first(proxy_.port());
    EXPECT_EQ(first.ask("one"), "[one]");
    proxy_.reset();
    EXPECT_EQ(first.receive(1), "reset");
    proxy_.refuse(true);
    Client second(proxy_.port());
    EXPECT_EQ(second.receive(1), "reset");
    proxy_.refuse(false);
    Client third(proxy_.port());
    EXPECT_EQ(third.ask("two"), "[two]");
    EXPECT_EQ(proxy_.connections(), 2u);
}

TEST_F(FaultProxyTest, GoesWhereItIsAimed) {
    LineServer other;
    proxy_.aim(other.port());
    EXPECT_EQ(Client(proxy_.port()).ask("one"), "[one]");
    EXPECT_EQ(other.told(), "one\n");
    EXPECT_EQ(server_.told(), "");
}

TEST_F(FaultProxyTest, NobodyBehindItIsAReset) {
    int port = 0;
    {
        const LineServer gone;
        port = gone.port();
    }
    proxy_.aim(port);
    EXPECT_EQ(Client(proxy_.port()).receive(1), "reset");
}

}  // namespace
}  // namespace penstock::test
