#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace penstock::test {

/// A direction through the proxy.
enum class Way : std::uint8_t {
    up,    ///< from the client to the server
    down,  ///< from the server to the client
};

/// A TCP proxy on a free port of 127.0.0.1 that forwards bytes of any protocol and does to them
/// what networks do. Patterns are bytes of a request (of what goes up), also where it arrives in
/// pieces. Faults hold for connections that are there and for later ones, until they are taken
/// back. A connection that the proxy ends is reset, so that no side takes it for a good end.
/// Threads: any; the wait_ functions one, always the same.
class FaultProxy {
public:
    /// `server_port` is one of 127.0.0.1; nobody need listen there yet.
    explicit FaultProxy(int server_port);
    ~FaultProxy();
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;

    int port() const;

    /// Where later connections go; those that are there stay.
    void aim(int server_port);
    /// On: later connections are reset as soon as they are made.
    void refuse(bool on);
    /// Resets every connection of now.
    void reset();
    /// On: nothing goes this way and no connection ends, as if the line were cut and its packets
    /// sent again for ever. Off: what was held back goes on.
    void blackhole(Way way, bool on);
    /// Each piece goes this way so much later, in order.
    void delay(Way way, std::chrono::milliseconds by);
    /// The connection that would carry the byte after `bytes` more this way is reset with `bytes`
    /// forwarded, once.
    void cut_after(Way way, std::uint64_t bytes);

    /// The next `count` requests with `pattern` reach the server, whose answer is dropped and the
    /// connection reset: done, and the client cannot know. The client sees the end only after the
    /// server has seen it, so nothing of its requests is under way when it tries again. Answers to
    /// earlier requests that are still under way are lost with it.
    void swallow_reply(std::string pattern, int count = 1);
    /// The next `count` requests with `pattern` do not reach the server: both sides are reset.
    void cut_before(std::string pattern, int count = 1);

    std::uint64_t connections() const;       ///< made so far, without the refused
    std::uint64_t swallowed() const;         ///< replies
    std::uint64_t cuts() const;              ///< by cut_after() or cut_before()
    std::uint64_t forwarded(Way way) const;  ///< bytes
    /// False: not within 30 s.
    bool wait_swallowed(std::uint64_t count);
    bool wait_cuts(std::uint64_t count);
    bool wait_connections(std::uint64_t count);

private:
    class Loop;
    const std::unique_ptr<Loop> loop_;
};

}  // namespace penstock::test
