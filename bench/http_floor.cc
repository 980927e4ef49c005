// The ceiling of the HTTP figures: one thread, epoll, a fixed answer to whatever ends a header (and
// the body that its Content-Length announces). No parsing beyond that.
// Usage: http_floor; prints its port, ends with its standard input.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kBody =
    "{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"code\":\"sold_out\","
    "\"effect\":\"none\",\"detail\":\"All units are granted, for good.\"}";
const std::string kAnswer =
    "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nContent-Length: " +
    std::to_string(kBody.size()) + "\r\n\r\n" + std::string(kBody);

struct Peer {
    int fd;
    std::string input;
};

/// Bytes of the first whole request in `input`; 0: none yet.
std::size_t request_bytes(std::string_view input) {
    const std::size_t end = input.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    std::size_t body = 0;
    const std::size_t length = input.substr(0, end).find("Content-Length: ");
    if (length != std::string_view::npos) {
        std::from_chars(input.data() + length + 16, input.data() + end, body);
    }
    return input.size() >= end + 4 + body ? end + 4 + body : 0;
}

/// False: the peer has gone.
bool serve(Peer& peer) {
    char bytes[64 * 1024];
    const ssize_t n = ::recv(peer.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0) return false;
    peer.input.append(bytes, static_cast<std::size_t>(n));
    std::string out;
    std::size_t used = 0;
    while (const std::size_t one = request_bytes(std::string_view(peer.input).substr(used))) {
        used += one;
        out += kAnswer;
    }
    peer.input.erase(0, used);
    return out.empty() || ::send(peer.fd, out.data(), out.size(), MSG_NOSIGNAL) ==
                              static_cast<ssize_t>(out.size());
}

}  // namespace

int main() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener, 4096) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        std::perror("http_floor");
        return 1;
    }
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);

    const int poll = ::epoll_create1(0);
    epoll_event event{EPOLLIN, {.fd = listener}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    std::vector<std::unique_ptr<Peer>> peers;
    while (true) {
        epoll_event events[512];
        const int n = ::epoll_wait(poll, events, 512, -1);
        for (int i = 0; i < n; ++i) {
            const auto fd = static_cast<std::size_t>(events[i].data.fd);
            if (events[i].data.fd == STDIN_FILENO) return 0;
            if (events[i].data.fd == listener) {
                const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
                const int on = 1;
                ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                const auto slot = static_cast<std::size_t>(accepted);
                if (peers.size() <= slot) peers.resize(slot + 1);
                peers[slot] = std::make_unique<Peer>(Peer{accepted, {}});
                event = {EPOLLIN, {.fd = accepted}};
                ::epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
            } else if (!serve(*peers[fd])) {
                peers[fd].reset();
                ::close(static_cast<int>(fd));
            }
        }
    }
}
