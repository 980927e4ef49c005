#include "penstock/edge/http/http_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>

#include "penstock/edge/http/api.h"
#include "penstock/edge/http/connection.h"
#include "penstock/edge/http/listen.h"
#include "penstock/edge/http/loop.h"
#include "penstock/edge/http/switchboard.h"
#include "penstock/edge/http/worker.h"

namespace penstock::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

/// Jobs posted to an io_context, one post for all that come together. The lock is held while
/// posting, so that after close() nobody touches the io_context any more.
class LoopInbox final : public Inbox, public std::enable_shared_from_this<LoopInbox> {
public:
    using Jobs = std::vector<std::function<void()>>;

    LoopInbox(asio::io_context& io, std::function<void(const Jobs&)> turn)
        : io_(io), turn_(std::move(turn)) {}

    void post(std::function<void()> job) override {
        const MutexLock lock(mutex_);
        if (closed_) return;
        jobs_.push_back(std::move(job));
        if (jobs_.size() == 1) asio::post(io_, [self = shared_from_this()] { self->run(); });
    }
    void close() {
        const MutexLock lock(mutex_);
        closed_ = true;
        jobs_.clear();
    }

private:
    void run() {
        Jobs jobs;
        {
            const MutexLock lock(mutex_);
            jobs.swap(jobs_);
        }
        turn_(jobs);
    }

    asio::io_context& io_;
    const std::function<void(const Jobs&)> turn_;
    Mutex mutex_;
    Jobs jobs_ GUARDED_BY(mutex_);
    bool closed_ GUARDED_BY(mutex_) = false;
};

std::string date_line(LogTime now) {
    const std::time_t seconds = unix_ms(now) / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    const std::size_t n =
        std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    return {text, n};
}

class Server final : public HttpServer, public Loop {
public:
    Server(HttpOptions options, Env& env, Node& node, Log& log, Gate& gate, Metrics& metrics)
        : options_(std::move(options)),
          env_(env),
          hosts_(options_.allowed_hosts),
          hub_{options_.limits, env.clock, router_, hosts_, metrics},
          inbox_(std::make_shared<LoopInbox>(io_, [this](const auto& jobs) { run(jobs); })),
          switchboard_(std::make_shared<Switchboard>(node.requester(), inbox_)),
          api_(make_api({env, node, log, gate, metrics, *this, options_.limits, options_.version})),
          tick_(io_),
          poll_timer_(io_) {
        api_->add_routes(router_);
    }

    ~Server() override { stop(env_.clock.mono()); }

    Result<void> open();
    void stop(MonoTime by) override;
    std::uint16_t port() const override { return port_; }

    std::shared_ptr<Inbox> inbox() override { return inbox_; }
    MonoTime now() const override { return hub_.now; }
    bool stopping() const override { return hub_.stopping; }
    void submit(std::shared_ptr<Caller> caller, std::span<const Submission> submissions) override {
        plan_flush();
        switchboard_->add(std::move(caller), submissions);
    }
    void look_up(std::shared_ptr<Caller> caller, const Uuid& id) override {
        plan_flush();
        switchboard_->look_up(std::move(caller), id);
    }
    void poll(std::function<bool()> job) override;
    bool block(std::function<void()> job) override { return worker_->run(std::move(job)); }

private:
    Result<void> open_tcp();
    Result<void> open_unix(const std::string& path);
    template <class Acceptor>
    void accept(Acceptor& acceptor);
    template <class Acceptor>
    void accepted(Acceptor& acceptor, const error_code& ec, Connection::Socket socket);
    bool make_place();
    void plan_flush();
    void run(const LoopInbox::Jobs& jobs);
    void end_turn();
    void plan_tick();
    void on_tick();
    void plan_poll();
    void begin_stop(MonoTime by);
    void sweep();

    const HttpOptions options_;
    Env& env_;
    asio::io_context io_{1};
    Router router_;
    const HostList hosts_;
    Hub hub_;
    std::shared_ptr<LoopInbox> inbox_;
    std::shared_ptr<Switchboard> switchboard_;
    std::unique_ptr<Api> api_;
    std::optional<tcp::acceptor> tcp_;
    std::optional<Local::acceptor> local_;
    asio::steady_timer tick_, poll_timer_;
    std::vector<ConnectionPtr> connections_;
    std::vector<std::function<bool()>> polls_;
    bool flush_planned_ = false;
    bool poll_planned_ = false;
    bool accept_paused_ = false;
    std::uint16_t port_ = 0;
    MonoTime stop_by_ = kNever;
    bool stopped_ = false;
    std::unique_ptr<Worker> worker_;
    std::unique_ptr<Task> thread_;
};

Error taken(const std::string& where, const error_code& ec) {
    return error(Code::unreachable, "cannot listen on " + where + ": " + ec.message() +
                                        "; stop the other process or choose another --listen");
}

Result<void> Server::open_tcp() {
    auto address = parse_listen(options_.listen);
    if (!address) return address.error();
    error_code ec;
    const tcp::endpoint endpoint(asio::ip::make_address(address->host, ec), address->port);
    tcp_.emplace(io_);
    tcp_->open(endpoint.protocol(), ec);
    if (!ec) tcp_->set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) tcp_->bind(endpoint, ec);
    if (!ec) tcp_->listen(4096, ec);
    if (ec) return taken(options_.listen, ec);
    port_ = tcp_->local_endpoint().port();
    return {};
}

Result<void> Server::open_unix(const std::string& path) {
    error_code ec;
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0) {
        if (!S_ISSOCK(there.st_mode)) {
            return error(Code::invalid, "http.unix: " + path + " exists and is no socket");
        }
        Local::socket probe(io_);
        probe.connect(Local::endpoint(path), ec);
        if (!ec) return taken(path, asio::error::address_in_use);
        ::unlink(path.c_str());  // left behind by a process that is gone
        ec = {};
    }
    local_.emplace(io_);
    local_->open(Local(), ec);
    if (!ec) local_->bind(Local::endpoint(path), ec);
    if (!ec && ::chmod(path.c_str(), 0660) != 0) ec = {errno, boost::system::system_category()};
    if (!ec) local_->listen(4096, ec);
    if (ec) return taken(path, ec);
    return {};
}

Result<void> Server::open() {
    PENSTOCK_TRY(open_tcp());
    if (options_.unix_path) PENSTOCK_TRY(open_unix(*options_.unix_path));
    hub_.now = env_.clock.mono();
    hub_.date = date_line(env_.clock.wall());
    worker_ = std::make_unique<Worker>(env_, "http-disk");
    accept(*tcp_);
    if (local_) accept(*local_);
    plan_tick();
    thread_ = env_.executor.spawn("http", [this] { io_.run(); });
    return {};
}

template <class Acceptor>
void Server::accept(Acceptor& acceptor) {
    acceptor.async_accept([this, &acceptor](const error_code& ec, auto socket) {
        accepted(acceptor, ec, Connection::Socket(std::move(socket)));
    });
}

template <class Acceptor>
void Server::accepted(Acceptor& acceptor, const error_code& ec, Connection::Socket socket) {
    if (hub_.stopping || ec == asio::error::operation_aborted) return;
    hub_.now = env_.clock.mono();
    if (ec == asio::error::no_descriptors || ec == asio::error::no_buffer_space ||
        ec == asio::error::no_memory) {
        make_place();
        accept_paused_ = true;  // until the next tick: at once would spin
        return;
    }
    if (!ec && (connections_.size() < options_.limits.connections || make_place())) {
        error_code ignored;
        socket.non_blocking(true, ignored);
        if constexpr (std::is_same_v<Acceptor, tcp::acceptor>) {
            socket.set_option(tcp::no_delay(true), ignored);
        }
        auto connection = std::make_shared<Connection>(std::move(socket), hub_);
        connection->place = connections_.size();
        connections_.push_back(connection);
        hub_.metrics.connections(connections_.size());
        connection->start();
        end_turn();
    }
    accept(acceptor);
}

/// Ends the oldest connection without a complete header; else the one that has been idle, or
/// sending its body, longest.
bool Server::make_place() {
    ConnectionPtr victim;
    for (const ConnectionPtr& connection : connections_) {
        const auto standing = connection->standing();
        if (standing == Connection::Standing::answering) continue;
        if (!victim || standing < victim->standing() ||
            (standing == victim->standing() && connection->since() < victim->since())) {
            victim = connection;
        }
    }
    if (!victim) return false;
    victim->close();
    connections_.back()->place = victim->place;
    std::swap(connections_[victim->place], connections_.back());
    connections_.pop_back();
    return true;
}

void Server::plan_flush() {
    if (flush_planned_) return;
    flush_planned_ = true;
    // Behind everything that is ready now: what arrived together is submitted together.
    asio::post(io_, [this] {
        flush_planned_ = false;
        hub_.now = env_.clock.mono();
        switchboard_->flush();
        end_turn();
    });
}

void Server::run(const LoopInbox::Jobs& jobs) {
    hub_.now = env_.clock.mono();
    for (const auto& job : jobs) job();
    end_turn();
}

void Server::end_turn() {
    hub_.flush();
}

void Server::poll(std::function<bool()> job) {
    polls_.push_back(std::move(job));
    plan_poll();
}

void Server::plan_poll() {
    if (poll_planned_ || polls_.empty()) return;
    poll_planned_ = true;
    poll_timer_.expires_after(std::chrono::milliseconds(1));
    poll_timer_.async_wait([this](const error_code& ec) {
        poll_planned_ = false;
        if (ec) return;
        hub_.now = env_.clock.mono();
        auto jobs = std::exchange(polls_, {});
        for (auto& job : jobs) {
            if (!job()) polls_.push_back(std::move(job));
        }
        plan_poll();
        end_turn();
    });
}

void Server::plan_tick() {
    tick_.expires_after(options_.limits.tick);
    tick_.async_wait([this](const error_code& ec) {
        if (!ec) on_tick();
    });
}

void Server::on_tick() {
    hub_.now = env_.clock.mono();
    hub_.date = date_line(env_.clock.wall());
    api_->tick();
    sweep();
    for (const ConnectionPtr& connection : connections_) {
        if (!connection->closed()) connection->check_times();
    }
    end_turn();
    if (hub_.stopping) {
        sweep();
        if (hub_.now >= stop_by_) {
            for (const ConnectionPtr& connection : connections_) connection->close();
        }
        if (connections_.empty() || hub_.now >= stop_by_) return io_.stop();
    } else if (accept_paused_) {
        accept_paused_ = false;
        accept(*tcp_);
        if (local_) accept(*local_);
    }
    plan_tick();
}

/// Drops the connections that have ended.
void Server::sweep() {
    std::erase_if(connections_, [](const ConnectionPtr& c) { return c->closed(); });
    for (std::size_t i = 0; i < connections_.size(); ++i) connections_[i]->place = i;
    hub_.metrics.connections(connections_.size());
}

void Server::begin_stop(MonoTime by) {
    hub_.stopping = true;
    stop_by_ = by;
    error_code ignored;
    tcp_->close(ignored);
    if (local_) local_->close(ignored);
    // Waiting callers are answered before the end, with time to send it.
    const MonoTime late =
        by - std::min<MonoTime::duration>(std::chrono::milliseconds(500), (by - hub_.now) / 2);
    for (const ConnectionPtr& connection : connections_) connection->wind_up(late);
}

void Server::stop(MonoTime by) {
    if (stopped_) return;
    stopped_ = true;
    if (thread_) {
        asio::post(io_, [this, by] {
            hub_.now = env_.clock.mono();
            begin_stop(by);
            end_turn();
        });
        thread_.reset();
    }
    worker_.reset();
    inbox_->close();
    switchboard_->abandon();
    for (const ConnectionPtr& connection : connections_) connection->close();
    connections_.clear();
    polls_.clear();
    if (options_.unix_path && local_) ::unlink(options_.unix_path->c_str());
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpOptions options, Env& env, Node& node,
                                                      Log& log, Gate& gate, Metrics& metrics) {
    auto server = std::make_unique<Server>(std::move(options), env, node, log, gate, metrics);
    PENSTOCK_TRY(server->open());
    return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace penstock::http
