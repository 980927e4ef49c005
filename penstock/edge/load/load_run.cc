#include "penstock/edge/load/load_run.h"

#include <algorithm>
#include <cerrno>

namespace penstock::load {
namespace {

constexpr std::chrono::milliseconds kTick{10};  ///< how often time-outs are looked at
constexpr std::chrono::milliseconds kProgress{200};
constexpr std::chrono::milliseconds kFirstPause{20};
constexpr std::uint32_t kMaxDoublings = 6;
constexpr std::uint32_t kMaxRetryAfter_s = 10;

}  // namespace

LoadRun::LoadRun(const LoadOptions& options,
                 const std::function<void(const LoadProgress&)>& progress, Env& env,
                 SocketAddress server, LoadHistory history)
    : options_(options),
      progress_(progress),
      env_(env),
      server_(server),
      writer_(options),
      source_(options, env),
      history_(std::move(history)),
      jitter_(static_cast<std::uint32_t>(env.random.next())),
      connections_(options.users),
      scratch_(std::make_unique<std::array<char, 256 * 1024>>()) {}

Result<LoadReport> LoadRun::run() {
    MonoTime time = now();
    last_open_ = last_answer_ = time;
    for (LoadConnection& connection : connections_) connect(connection, time);
    while (!done(time) && !failure_) {
        for (const epoll_event& event : poller_.wait(time, next_wake(time))) on_event(event);
        time = now();
        begin_due(time);
        if (time >= next_tick_) tick(time);
        if (time >= next_progress_) tell_progress(time);
    }
    if (failure_) return *failure_;
    PENSTOCK_TRY(history_.finish());
    tell_progress(last_answer_);
    tally_.finish();
    LoadReport& report = tally_.report;
    if (begun_) report.seconds = std::chrono::duration<double>(last_answer_ - *begun_).count();
    return std::move(report);
}

bool LoadRun::over(MonoTime now) const {
    return source_dry_ || (begun_ && options_.duration && now - *begun_ >= *options_.duration);
}

MonoTime LoadRun::next_wake(MonoTime now) const {
    const MonoTime wake = next_tick_;
    if (options_.rate <= 0 || !begun_ || idle_.empty() || over(now)) return wake;
    return std::min(wake, intended_start());
}

void LoadRun::on_event(const epoll_event& event) {
    LoadConnection& connection = connections_[event.data.u32];
    if (connection.state == State::connecting) return on_connect(connection);
    if (!connection.is_open()) return;
    if (connection.sent < connection.request.size() && !connection.send_more()) {
        return lost(connection, now());
    }
    const bool ended = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (ended || (event.events & EPOLLIN) != 0) on_readable(connection, ended);
}

void LoadRun::on_connect(LoadConnection& connection) {
    int failure = 0;
    socklen_t size = sizeof failure;
    ::getsockopt(connection.socket.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
    const MonoTime time = now();
    if (failure != 0) return connect_failed(connection, time);
    last_open_ = time;
    if (!begun_) begun_ = time;
    connection.state = State::idle;
    if (!connection.claims.empty()) return send(connection, time);
    begin(connection, time);
}

void LoadRun::on_readable(LoadConnection& connection, bool ended) {
    while (connection.is_open()) {
        const ssize_t n =
            ::recv(connection.socket.get(), scratch_->data(), scratch_->size(), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        const auto bytes = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        if (n <= 0 || !take_bytes(connection, {scratch_->data(), bytes})) {
            return lost(connection, now());
        }
        // Fewer than there was room for: the next bytes make an event of their own.
        if (!ended && bytes < scratch_->size()) return;
    }
}

bool LoadRun::take_bytes(LoadConnection& connection, std::string_view bytes) {
    if (connection.state != State::busy) return false;
    if (!connection.input.empty()) bytes = connection.input.append(bytes);
    AnswerHead head;
    const Reading reading = read_answer_head(bytes, head);
    if (reading == Reading::broken) return false;
    const std::size_t whole = head.head_bytes + head.body_bytes;
    if (reading == Reading::unfinished || bytes.size() < whole) {
        if (connection.input.empty()) connection.input = bytes;
        return true;
    }
    // Requests are not pipelined, so that nothing can stand behind the answer.
    if (bytes.size() > whole) return false;
    answered(connection, head, bytes.substr(head.head_bytes), now());
    return true;
}

void LoadRun::connect(LoadConnection& connection, MonoTime now) {
    connection.socket = begin_connect(server_);
    if (!connection.socket) return connect_failed(connection, now);
    const auto index = static_cast<std::uint32_t>(&connection - connections_.data());
    poller_.watch(connection.socket.get(), index);
    connection.state = State::connecting;
    connection.at = now + options_.timeout;
}

void LoadRun::connect_failed(LoadConnection& connection, MonoTime now) {
    pause(connection, State::closed, now, 0);
    const bool any_open = std::any_of(connections_.begin(), connections_.end(),
                                      [](const LoadConnection& one) { return one.is_open(); });
    if (any_open || (options_.retry && now - last_open_ < options_.patience)) return;
    failure_ = error(Code::unreachable, "no connection to http://" + options_.server.authority() +
                                            "; is `penstock serve` running there?");
}

void LoadRun::lost(LoadConnection& connection, MonoTime now) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < connection.claims.size(); ++i) {
        if (!told(connection.claims[i], {})) continue;
        std::swap(connection.claims[kept++], connection.claims[i]);
    }
    put_down(connection, kept);
    ++tally_.report.reconnects;
    pause(connection, State::closed, now, 0);
}

void LoadRun::pause(LoadConnection& connection, State state, MonoTime now,
                    std::uint32_t at_least_s) {
    auto wait = kFirstPause * (1 << std::min(connection.failures++, kMaxDoublings));
    wait = wait / 2 + wait * (jitter_() % 512) / 1024;
    wait = std::max<std::chrono::milliseconds>(
        wait, std::chrono::seconds(std::min(at_least_s, kMaxRetryAfter_s)));
    connection.state = state;
    connection.at = now + wait;
    if (state == State::closed) {
        connection.socket.reset();
        connection.input.clear();
    }
}

void LoadRun::begin(LoadConnection& connection, MonoTime now) {
    connection.state = State::idle;
    MonoTime start = now;
    if (options_.rate > 0 && !over(now)) {
        if (intended_start() > now) {
            idle_.push_back(static_cast<std::uint32_t>(&connection - connections_.data()));
            return;
        }
        start = intended_start();
        ++starts_;
    }
    const std::size_t kept = connection.claims.size();
    while (!over(now) && connection.claims.size() < options_.batch) {
        connection.claims.emplace_back();
        if (source_.next(connection.claims.back())) continue;
        connection.claims.pop_back();
        source_dry_ = true;
    }
    if (connection.claims.empty()) return;
    if (kept == 0) {
        ++in_hand_;
        connection.start = start;
    }
    send(connection, now);
}

void LoadRun::send(LoadConnection& connection, MonoTime now) {
    writer_.write(connection.claims, connection.request);
    connection.sent = 0;
    connection.state = State::busy;
    connection.at = now + options_.timeout;
    ++tally_.report.requests;
    if (!connection.send_more()) lost(connection, now);
}

void LoadRun::answered(LoadConnection& connection, const AnswerHead& head, std::string_view body,
                       MonoTime now) {
    const bool lines = options_.batch > 1 && head.status == 200;
    const std::uint64_t granted = tally_.report.granted;
    std::size_t kept = 0;
    std::uint32_t retry_after_s = head.retry_after_s;
    for (std::size_t i = 0; i < connection.claims.size(); ++i) {
        ClaimAnswer answer{head.status, body, body};
        if (lines) {
            const std::size_t end = body.find('\n');
            answer = read_answer_line(body.substr(0, end));
            body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
        }
        if (!told(connection.claims[i], answer)) continue;
        std::swap(connection.claims[kept++], connection.claims[i]);
    }
    last_answer_ = now;
    if (kept == 0) {
        tally_.report.latency.add(now - connection.start);
        if (tally_.report.granted > granted) {
            tally_.report.granted_latency.add(now - connection.start);
        }
    }
    put_down(connection, kept);
    connection.input.clear();
    if (head.close) {
        ++tally_.report.reconnects;
        pause(connection, State::closed, now, retry_after_s);
    } else if (kept > 0) {
        pause(connection, State::pausing, now, retry_after_s);
    } else {
        connection.failures = 0;
        begin(connection, now);
    }
}

bool LoadRun::told(const Claim& claim, const ClaimAnswer& answer) {
    history_.add(claim, answer);
    const Meaning meaning = tally_.take(claim, answer);
    if (meaning == Meaning::undecided && options_.retry) return ++tally_.report.retries, true;
    if (claim.repeat) return false;
    if (meaning == Meaning::undecided) {
        ++tally_.report.unanswered;
    } else {
        source_.remember(claim, meaning == Meaning::granted ? answer.members : "");
    }
    return false;
}

void LoadRun::put_down(LoadConnection& connection, std::size_t kept) {
    if (connection.claims.empty()) return;
    connection.claims.resize(kept);
    if (kept == 0) --in_hand_;
}

MonoTime LoadRun::intended_start() const {
    const double seconds =
        static_cast<double>(starts_) * static_cast<double>(options_.batch) / options_.rate;
    return *begun_ + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

void LoadRun::begin_due(MonoTime now) {
    while (options_.rate > 0 && begun_ && !idle_.empty() && !over(now) && intended_start() <= now) {
        LoadConnection& connection = connections_[idle_.back()];
        idle_.pop_back();
        if (connection.state == State::idle && connection.is_open()) begin(connection, now);
    }
}

void LoadRun::tick(MonoTime now) {
    next_tick_ = now + kTick;
    for (LoadConnection& connection : connections_) {
        if (connection.is_open()) last_open_ = now;
        if (connection.state != State::idle && connection.at <= now) tick(connection, now);
    }
    if (!over(now)) return;
    if (over_at_ == kNever) over_at_ = now;
    if (now - over_at_ > options_.patience) give_up();
}

void LoadRun::tick(LoadConnection& connection, MonoTime now) {
    switch (connection.state) {
        case State::closed:
            return connect(connection, now);
        case State::connecting:
            return connect_failed(connection, now);
        case State::busy:
            return lost(connection, now);
        case State::pausing:
            return connection.claims.empty() ? begin(connection, now) : send(connection, now);
        case State::idle:
            return;
    }
}

void LoadRun::tell_progress(MonoTime now) {
    next_progress_ = now + kProgress;
    if (!progress_ || !begun_) return;
    const LoadReport& report = tally_.report;
    progress_({report.granted, report.refused,
               report.repeated + report.waiting + report.unavailable + report.broken,
               std::chrono::duration<double>(now - *begun_).count()});
}

void LoadRun::give_up() {
    for (LoadConnection& connection : connections_) {
        for (const Claim& claim : connection.claims) {
            if (!claim.repeat) ++tally_.report.unanswered;
        }
        put_down(connection, 0);
    }
}

}  // namespace penstock::load
