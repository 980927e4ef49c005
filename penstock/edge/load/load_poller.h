#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/base/time.h"
#include "penstock/edge/cli/client.h"

namespace penstock::load {

/// A descriptor of the system, closed with it.
class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset(int fd = -1);

private:
    int fd_;
};

struct SocketAddress {
    sockaddr_storage bytes{};
    socklen_t size = 0;
};
/// unreachable: the name is not known.
Result<SocketAddress> resolve(const Url& server);
/// A socket that begins to connect without waiting; empty when that fails at once.
Descriptor begin_connect(const SocketAddress& address);

/// Waits for sockets and for a time, to the microsecond. Sockets are watched for every change
/// (edge-triggered, both directions), so that a request costs no call beside send and receive.
/// Threads: one.
class LoadPoller {
public:
    LoadPoller();
    void watch(int fd, std::uint32_t tag);
    /// Until something happens or `until` has come, seen from `now`.
    std::span<const epoll_event> wait(MonoTime now, MonoTime until);

private:
    Descriptor epoll_, timer_;
    MonoTime armed_ = kNever;
    std::array<epoll_event, 256> events_;
};

}  // namespace penstock::load
