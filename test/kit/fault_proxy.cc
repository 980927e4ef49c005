#include "test/kit/fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "penstock/base/check.h"
#include "penstock/base/env.h"
#include "penstock/base/guarded.h"

namespace penstock::test {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kMostHeldBytes = 1024 * 1024;  ///< a way of a connection
constexpr std::chrono::seconds kWait{30};

constexpr std::size_t index_of(Way way) {
    return static_cast<std::size_t>(way);
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

/// A socket, closed with this object.
class Socket {
public:
    explicit Socket(int fd) : fd_(fd) {}
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int fd() const { return fd_; }
    /// The close to come is a reset.
    void reset_at_close() {
        const linger at_once{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }

private:
    const int fd_;
};

/// Waits for a pattern in requests, `count` times more.
struct Trigger {
    std::string pattern;
    int count = 0;
};

struct Faults {
    int server_port = 0;
    bool refuse = false;
    std::array<bool, 2> held{};
    std::array<std::chrono::milliseconds, 2> delay{};
    std::array<std::optional<std::uint64_t>, 2> left;  ///< bytes until the cut
    Trigger swallow, cut;
};

struct Counts {
    std::uint64_t connections = 0, swallowed = 0, cuts = 0;
    std::array<std::uint64_t, 2> forwarded{};
};

struct Piece {
    MonoTime due;
    std::string bytes;
};

/// One way of a connection: what was read and is not written yet.
struct Stream {
    std::deque<Piece> pieces;
    std::size_t held_bytes = 0;
    bool ended = false;  ///< its source sent its last byte
    bool shut = false;   ///< and its target was told
    std::string tail;    ///< the last bytes read, where a pattern may have begun
};

enum class Fate : std::uint8_t { forward, swallow, drain, dead };

/// Whether `pattern` ends in the part of `bytes` behind the first `old`, which were seen before.
bool has_new(std::string_view bytes, std::size_t old, std::string_view pattern) {
    const std::size_t from = old >= pattern.size() ? old - pattern.size() + 1 : 0;
    return bytes.find(pattern, from) != std::string_view::npos;
}

struct Link {
    Link(int client_fd, int server_fd) : client(client_fd), server(server_fd) {}

    Socket& source(Way way) { return way == Way::up ? client : server; }
    Socket& target(Way way) { return way == Way::up ? server : client; }
    Stream& stream(Way way) { return streams[index_of(way)]; }
    bool over() const { return streams[0].shut && streams[1].shut; }

    Socket client, server;
    std::array<Stream, 2> streams;
    Fate fate = Fate::forward;
};

}  // namespace

/// The thread behind the proxy: it moves what it can under the lock, then waits without it; so a
/// fault holds from the moment that the call which makes it returns. Threads: any.
class FaultProxy::Loop {
public:
    explicit Loop(int server_port);
    ~Loop();

    int port() const { return port_; }
    template <class Body>
    void change(Body&& body) {
        {
            const MutexLock lock(mutex_);
            body(faults_);
        }
        poke();
    }
    Counts counts() {
        const MutexLock lock(mutex_);
        return counts_;
    }
    bool wait(const std::function<bool(const Counts&)>& until);
    void reset() {
        {
            const MutexLock lock(mutex_);
            for (Link& link : links_) link.fate = Fate::dead;
        }
        poke();
    }

private:
    void run();
    void poke();
    void reap() REQUIRES(mutex_);
    void accept_all() REQUIRES(mutex_);
    void step(Link& link) REQUIRES(mutex_);
    void read_some(Link& link, Way way) REQUIRES(mutex_);
    void take(Link& link, Way way, std::string bytes) REQUIRES(mutex_);
    bool meet_patterns(Link& link, const std::string& bytes) REQUIRES(mutex_);
    void write_due(Link& link, Way way) REQUIRES(mutex_);
    bool write_front(Link& link, Way way) REQUIRES(mutex_);
    /// Milliseconds until a delayed piece is due, -1: none.
    int list_waits(std::vector<pollfd>& waits) REQUIRES(mutex_);

    const Socket listener_, poke_;
    int port_ = 0;
    const std::unique_ptr<Wake> counted_ = system_env().executor.make_wake();
    Mutex mutex_;
    Faults faults_ GUARDED_BY(mutex_);
    Counts counts_ GUARDED_BY(mutex_);
    bool stop_ GUARDED_BY(mutex_) = false;
    std::list<Link> links_ GUARDED_BY(mutex_);
    std::unique_ptr<Task> task_;
};

FaultProxy::Loop::Loop(int server_port)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      poke_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    faults_.server_port = server_port;
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    PENSTOCK_CHECK(::bind(listener_.fd(), raw, size) == 0);
    PENSTOCK_CHECK(::getsockname(listener_.fd(), raw, &size) == 0);
    PENSTOCK_CHECK(::listen(listener_.fd(), 128) == 0);
    port_ = ntohs(address.sin_port);
    task_ = system_env().executor.spawn("fault-proxy", [this] { run(); });
}

FaultProxy::Loop::~Loop() {
    {
        const MutexLock lock(mutex_);
        stop_ = true;
    }
    poke();
    task_.reset();
}

void FaultProxy::Loop::poke() {
    const std::uint64_t one = 1;
    (void)!::write(poke_.fd(), &one, sizeof one);
}

bool FaultProxy::Loop::wait(const std::function<bool(const Counts&)>& until) {
    const MonoTime by = system_env().clock.mono() + kWait;
    while (!until(counts())) {
        if (!counted_->wait_until(by) && system_env().clock.mono() >= by) return until(counts());
    }
    return true;
}

void FaultProxy::Loop::run() {
    std::vector<pollfd> waits;
    for (;;) {
        int timeout_ms = 0;
        {
            const MutexLock lock(mutex_);
            if (stop_) return;
            accept_all();
            for (Link& link : links_) step(link);
            reap();
            timeout_ms = list_waits(waits);
        }
        counted_->notify();
        ::poll(waits.data(), waits.size(), timeout_ms);
        std::uint64_t pokes = 0;
        (void)!::read(poke_.fd(), &pokes, sizeof pokes);
    }
}

void FaultProxy::Loop::reap() {
    links_.remove_if([](Link& link) {
        if (link.fate == Fate::dead) {
            link.client.reset_at_close();
            link.server.reset_at_close();
        }
        return link.fate == Fate::dead || link.over();
    });
}

void FaultProxy::Loop::accept_all() {
    for (;;) {
        const int client =
            ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) return;
        if (faults_.refuse) {
            Socket(client).reset_at_close();
            continue;
        }
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        PENSTOCK_CHECK(server >= 0);
        const int on = 1;
        ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const sockaddr_in address = loopback(faults_.server_port);
        const auto* raw = reinterpret_cast<const sockaddr*>(&address);
        const bool failed = ::connect(server, raw, sizeof address) != 0 && errno != EINPROGRESS;
        links_.emplace_back(client, server);
        if (failed) links_.back().fate = Fate::dead;
        ++counts_.connections;
    }
}

int FaultProxy::Loop::list_waits(std::vector<pollfd>& waits) {
    waits = {{poke_.fd(), POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
    const MonoTime now = system_env().clock.mono();
    MonoTime next = kNever;
    for (Link& link : links_) {
        for (const Way way : {Way::up, Way::down}) {
            const Stream& stream = link.stream(way);
            if (faults_.held[index_of(way)]) continue;
            if (!stream.ended && stream.held_bytes < kMostHeldBytes) {
                waits.push_back({link.source(way).fd(), POLLIN, 0});
            }
            if (stream.pieces.empty()) continue;
            const MonoTime due = stream.pieces.front().due;
            if (due <= now) {
                waits.push_back({link.target(way).fd(), POLLOUT, 0});
            } else {
                next = std::min(next, due);
            }
        }
    }
    if (next == kNever) return -1;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
}

void FaultProxy::Loop::step(Link& link) {
    if (link.fate == Fate::dead) return;
    for (const Way way : {Way::up, Way::down}) {
        if (faults_.held[index_of(way)]) continue;
        read_some(link, way);
        write_due(link, way);
    }
}

void FaultProxy::Loop::read_some(Link& link, Way way) {
    Stream& stream = link.stream(way);
    while (link.fate != Fate::dead && !stream.ended && stream.held_bytes < kMostHeldBytes) {
        std::string bytes(kPieceBytes, '\0');
        const ssize_t got = ::recv(link.source(way).fd(), bytes.data(), bytes.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (got > 0) {
            bytes.resize(static_cast<std::size_t>(got));
            take(link, way, std::move(bytes));
        } else if (way == Way::down && link.fate == Fate::drain) {
            link.fate = Fate::dead;  // the server has done all that it was asked
            ++counts_.swallowed;
        } else if (got == 0) {
            stream.ended = true;
        } else {
            link.fate = Fate::dead;
        }
    }
}

void FaultProxy::Loop::take(Link& link, Way way, std::string bytes) {
    if (way == Way::up && !meet_patterns(link, bytes)) {
        link.fate = Fate::dead;
        return;
    }
    if (way == Way::down && link.fate == Fate::swallow) {
        link.fate = Fate::drain;
        link.stream(Way::up).ended = true;
        write_due(link, Way::up);
    }
    if (link.fate == Fate::drain) return;
    Stream& stream = link.stream(way);
    stream.held_bytes += bytes.size();
    stream.pieces.push_back(
        {system_env().clock.mono() + faults_.delay[index_of(way)], std::move(bytes)});
}

/// False: the request must not reach the server.
bool FaultProxy::Loop::meet_patterns(Link& link, const std::string& bytes) {
    Stream& stream = link.stream(Way::up);
    const std::string seen = stream.tail + bytes;
    const auto meets = [&](Trigger& trigger) {
        if (trigger.count == 0 || !has_new(seen, stream.tail.size(), trigger.pattern)) return false;
        --trigger.count;
        return true;
    };
    if (meets(faults_.cut)) {
        ++counts_.cuts;
        return false;
    }
    if (link.fate == Fate::forward && meets(faults_.swallow)) link.fate = Fate::swallow;
    const std::size_t keep = std::max(faults_.cut.pattern.size(), faults_.swallow.pattern.size());
    stream.tail = seen.substr(seen.size() - std::min(seen.size(), keep));
    return true;
}

void FaultProxy::Loop::write_due(Link& link, Way way) {
    Stream& stream = link.stream(way);
    const MonoTime now = system_env().clock.mono();
    while (link.fate != Fate::dead && !stream.pieces.empty() && stream.pieces.front().due <= now) {
        if (!write_front(link, way)) return;
    }
    if (stream.ended && stream.pieces.empty() && !stream.shut) {
        ::shutdown(link.target(way).fd(), SHUT_WR);
        stream.shut = true;
    }
}

/// False: no more can be written now.
bool FaultProxy::Loop::write_front(Link& link, Way way) {
    Stream& stream = link.stream(way);
    std::string& bytes = stream.pieces.front().bytes;
    std::optional<std::uint64_t>& left = faults_.left[index_of(way)];
    if (left && *left == 0) {
        left.reset();
        ++counts_.cuts;
        link.fate = Fate::dead;
        return false;
    }
    const auto most = static_cast<std::size_t>(
        std::min<std::uint64_t>(bytes.size(), left.value_or(bytes.size())));
    const ssize_t sent = ::send(link.target(way).fd(), bytes.data(), most, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != ENOTCONN) link.fate = Fate::dead;
        return false;
    }
    const auto size = static_cast<std::size_t>(sent);
    if (left) *left -= size;
    stream.held_bytes -= size;
    counts_.forwarded[index_of(way)] += size;
    bytes.erase(0, size);
    if (bytes.empty()) stream.pieces.pop_front();
    return true;
}

FaultProxy::FaultProxy(int server_port) : loop_(std::make_unique<Loop>(server_port)) {}
FaultProxy::~FaultProxy() = default;

int FaultProxy::port() const {
    return loop_->port();
}

void FaultProxy::aim(int server_port) {
    loop_->change([&](Faults& faults) { faults.server_port = server_port; });
}

void FaultProxy::refuse(bool on) {
    loop_->change([&](Faults& faults) { faults.refuse = on; });
}

void FaultProxy::reset() {
    loop_->reset();
}

void FaultProxy::blackhole(Way way, bool on) {
    loop_->change([&](Faults& faults) { faults.held[index_of(way)] = on; });
}

void FaultProxy::delay(Way way, std::chrono::milliseconds by) {
    loop_->change([&](Faults& faults) { faults.delay[index_of(way)] = by; });
}

void FaultProxy::cut_after(Way way, std::uint64_t bytes) {
    loop_->change([&](Faults& faults) { faults.left[index_of(way)] = bytes; });
}

void FaultProxy::swallow_reply(std::string pattern, int count) {
    loop_->change([&](Faults& faults) { faults.swallow = {std::move(pattern), count}; });
}

void FaultProxy::cut_before(std::string pattern, int count) {
    loop_->change([&](Faults& faults) { faults.cut = {std::move(pattern), count}; });
}

std::uint64_t FaultProxy::connections() const {
    return loop_->counts().connections;
}

std::uint64_t FaultProxy::swallowed() const {
    return loop_->counts().swallowed;
}

std::uint64_t FaultProxy::cuts() const {
    return loop_->counts().cuts;
}

std::uint64_t FaultProxy::forwarded(Way way) const {
    return loop_->counts().forwarded[index_of(way)];
}

bool FaultProxy::wait_swallowed(std::uint64_t count) {
    return loop_->wait([&](const Counts& counts) { return counts.swallowed >= count; });
}

bool FaultProxy::wait_cuts(std::uint64_t count) {
    return loop_->wait([&](const Counts& counts) { return counts.cuts >= count; });
}

bool FaultProxy::wait_connections(std::uint64_t count) {
    return loop_->wait([&](const Counts& counts) { return counts.connections >= count; });
}

}  // namespace penstock::test
