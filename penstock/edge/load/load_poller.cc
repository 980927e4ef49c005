#include "penstock/edge/load/load_poller.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace penstock::load {
namespace {

constexpr std::uint32_t kTimer = 0xffff'ffff;

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

}  // namespace

void Descriptor::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

Result<SocketAddress> resolve(const Url& server) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    const std::string port = std::to_string(server.port);
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(server.host.c_str(), port.c_str(), &hints, &found);
    if (failure != 0 || found == nullptr) {
        return error(Code::unreachable, server.host + ": " + ::gai_strerror(failure));
    }
    const std::unique_ptr<addrinfo, FreeAddresses> list(found);
    // A node that listens on localhost does so on 127.0.0.1 first.
    const addrinfo* choice = found;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        if (one->ai_family == AF_INET && choice->ai_family != AF_INET) choice = one;
    }
    SocketAddress address;
    std::memcpy(&address.bytes, choice->ai_addr, choice->ai_addrlen);
    address.size = choice->ai_addrlen;
    return address;
}

Descriptor begin_connect(const SocketAddress& address) {
    Descriptor socket(
        ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return socket;
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto* to = reinterpret_cast<const sockaddr*>(&address.bytes);
    if (::connect(socket.get(), to, address.size) != 0 && errno != EINPROGRESS) socket.reset();
    return socket;
}

LoadPoller::LoadPoller()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    PENSTOCK_CHECK(epoll_ && timer_);
    watch(timer_.get(), kTimer);
}

void LoadPoller::watch(int fd, std::uint32_t tag) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u32 = tag;
    PENSTOCK_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

std::span<const epoll_event> LoadPoller::wait(MonoTime now, MonoTime until) {
    const bool due = until <= now;
    if (!due && until != armed_) {
        const auto left = (until - now).count();
        itimerspec time{};
        time.it_value.tv_sec = left / 1'000'000'000;
        time.it_value.tv_nsec = left % 1'000'000'000;
        ::timerfd_settime(timer_.get(), 0, &time, nullptr);
        armed_ = until;
    }
    const int n = ::epoll_wait(epoll_.get(), events_.data(), events_.size(), due ? 0 : -1);
    if (n <= 0) return {};
    const auto end = std::remove_if(events_.begin(), events_.begin() + n,
                                    [](const epoll_event& e) { return e.data.u32 == kTimer; });
    return {events_.data(), static_cast<std::size_t>(end - events_.begin())};
}

}  // namespace penstock::load
