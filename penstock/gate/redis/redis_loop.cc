#include "penstock/gate/redis/redis_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace penstock {
namespace {

void answer_at_once(std::size_t count, std::uint64_t first_tag, const Error& why, GateSink& sink) {
    std::vector<Answer> answers;
    answers.reserve(count);
    for (std::size_t i = 0; i < count; ++i) answers.push_back({first_tag + i, why, 0, {}});
    sink.answered(answers);
}

Error stopped() {
    return error(Code::stopped, "the gate has been stopped");
}

}  // namespace

RedisLoop::RedisLoop(Env& env, RedisGateOptions options, RedisUrl url, RedisGateObserver& observer)
    : env_(env),
      options_(std::move(options)),
      url_(std::move(url)),
      observer_(observer),
      claims_text_(claims_script(without())),
      control_text_(control_script(without())),
      poke_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      down_(error(Code::unreachable, "Redis has not been reached yet")) {
    PENSTOCK_CHECK(poke_ >= 0);
}

GateCheck RedisLoop::without() const {
#if PENSTOCK_FAILPOINTS
    return options_.without;
#else
    return GateCheck::none;
#endif
}

RedisLoop::~RedisLoop() {
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    const std::uint64_t one = 1;
    (void)!::write(poke_, &one, sizeof one);
    task_.reset();
    ::close(poke_);
}

Result<void> RedisLoop::start() {
    Call first(env_.executor.make_wake());
    first_ = &first;
    task_ = env_.executor.spawn("redis-gate", [this] { body(); });
    first.done->wait_until(kNever);
    if (!first.reply) return first.reply.error();
    return {};
}

void RedisLoop::ask(std::span<const Ask> asks, LogTime now, std::uint64_t first_tag,
                    GateSink& sink) {
    if (asks.empty()) return;
    if (asks_.fetch_add(asks.size()) + asks.size() > options_.most_asks) {
        asks_.fetch_sub(asks.size());
        return answer_at_once(asks.size(), first_tag,
                              error(Code::overloaded, "too many asks wait for Redis; try later"),
                              sink);
    }
    bool first = false;
    bool refused = false;
    {
        const MutexLock lock(mutex_);
        refused = stopping_;
        first = inbox_.items.empty();
        std::string_view name;
        std::uint32_t name_at = 0;
        for (std::size_t i = 0; i < asks.size() && !refused; ++i) {
            const Ask& ask = asks[i];
            std::string& texts = inbox_.texts;
            if (i == 0 || ask.resource != name) {
                name = ask.resource;
                name_at = static_cast<std::uint32_t>(texts.size());
                texts += name;
            }
            ClaimOp op{OpKind::ask, ask.id, ask.quantity, 0, 0, now, &sink, first_tag + i};
            op.holder_at = static_cast<std::uint32_t>(texts.size());
            op.holder_size = static_cast<std::uint32_t>(ask.holder.size());
            texts += ask.holder;
            inbox_.items.push_back({op, name_at, static_cast<std::uint32_t>(name.size()), nullptr});
        }
    }
    if (refused) {
        asks_.fetch_sub(asks.size());
        return answer_at_once(asks.size(), first_tag, stopped(), sink);
    }
    const std::uint64_t one = 1;
    if (first) (void)!::write(poke_, &one, sizeof one);
}

void RedisLoop::settle(std::span<const Settled> settled) {
    if (settled.empty()) return;
    if (settled_.fetch_add(settled.size()) + settled.size() > options_.most_settled) {
        settled_.fetch_sub(settled.size());
        dropped_.store(true);
        return;  // the thread tells it when it is awake
    }
    bool first = false;
    {
        const MutexLock lock(mutex_);
        first = inbox_.items.empty();
        for (const Settled& one : settled) {
            // No resource has such a name, and no ask such a holder.
            if (one.resource.size() > kMostNameBytes || one.holder.size() > kMostNameBytes) {
                settled_.fetch_sub(1);
                continue;
            }
            std::string& texts = inbox_.texts;
            const auto name_at = static_cast<std::uint32_t>(texts.size());
            texts += one.resource;
            ClaimOp op;
            op.kind = one.granted ? OpKind::grant : OpKind::give_back;
            op.id = one.id;
            op.quantity = std::min(one.quantity, kMaxUnits);
            op.holder_at = static_cast<std::uint32_t>(texts.size());
            op.holder_size = static_cast<std::uint32_t>(one.holder.size());
            texts += one.holder;
            inbox_.items.push_back(
                {op, name_at, static_cast<std::uint32_t>(one.resource.size()), nullptr});
        }
    }
    const std::uint64_t one = 1;
    if (first) (void)!::write(poke_, &one, sizeof one);
}

Result<std::vector<std::string>> RedisLoop::run(std::string_view resource,
                                                std::unique_ptr<Batch> batch) {
    Call call(env_.executor.make_wake());
    batch->call = &call;
    {
        const MutexLock lock(mutex_);
        if (stopping_) return stopped();
        Incoming item;
        item.resource_at = static_cast<std::uint32_t>(inbox_.texts.size());
        item.resource_size = static_cast<std::uint32_t>(resource.size());
        item.batch = std::move(batch);
        inbox_.texts += resource;
        inbox_.items.push_back(std::move(item));
    }
    const std::uint64_t one = 1;
    (void)!::write(poke_, &one, sizeof one);
    call.done->wait_until(kNever);
    return std::move(call.reply);
}

void RedisLoop::body() {
    connect();
    for (;;) {
        drain();
        if (state_ == State::ready) send_all();
        if (finished()) break;
        wait();
        serve_link();
        on_time();
    }
    fail(stopped());
    drain();
}

/// Told to stop, and everything is said, cannot be said now, or took too long.
bool RedisLoop::finished() {
    if (!stop_by_) {
        const MutexLock lock(mutex_);
        if (!stopping_) return false;
        stop_by_ = env_.clock.mono() + options_.reply_timeout;
    }
    const bool idle = in_flight_.empty() && sendable_.empty() && later_.empty();
    return state_ != State::ready || idle || env_.clock.mono() >= *stop_by_;
}

void RedisLoop::drain() {
    taken_.items.clear();
    taken_.texts.clear();
    {
        const MutexLock lock(mutex_);
        std::swap(taken_, inbox_);
    }
    for (Incoming& item : taken_.items) take(item, taken_.texts);
    if (dropped_.exchange(false) && !std::exchange(told_dropped_, true)) {
        observer_.settlements_dropped({}, "settlements were dropped: Redis took them too slowly");
    }
    if (state_ == State::ready) return;
    for (Queue* const queue : sendable_) {
        queue->listed = false;
        refuse_waiting(*queue, down_);
    }
    sendable_.clear();
}

void RedisLoop::take(Incoming& item, std::string_view texts) {
    Queue& queue = queue_of(texts.substr(item.resource_at, item.resource_size));
    list(queue);
    if (item.batch) {
        queue.waiting.push_back(std::move(item.batch));
        return;
    }
    if (queue.waiting.empty() || !queue.waiting.back()->takes_more(options_.claims_per_call)) {
        queue.waiting.push_back(std::make_unique<Batch>());
    }
    queue.waiting.back()->add(item.op, texts.substr(item.op.holder_at, item.op.holder_size));
}

RedisLoop::Queue& RedisLoop::queue_of(std::string_view resource) {
    const auto at = queues_.find(resource);
    if (at != queues_.end()) return *at->second;
    // Names that nobody made come from outside: what is idle and unknown is forgotten.
    constexpr std::size_t kMostQueues = 10'000;
    if (queues_.size() >= kMostQueues) {
        std::erase_if(queues_, [&](const auto& entry) {
            const Queue& queue = *entry.second;
            const bool delayed = std::any_of(later_.begin(), later_.end(), [&](const Later& later) {
                return later.queue == &queue;
            });
            return queue.generation == GateGeneration(0) && queue.waiting.empty() &&
                   queue.in_flight == 0 && !queue.listed && !delayed;
        });
    }
    auto made = std::make_unique<Queue>(options_.prefix, resource);
    return *queues_.emplace(std::string(resource), std::move(made)).first->second;
}

void RedisLoop::list(Queue& queue) {
    if (queue.listed) return;
    queue.listed = true;
    sendable_.push_back(&queue);
}

void RedisLoop::wait() {
    MonoTime until = stop_by_.value_or(kNever);
    if (state_ == State::down) until = std::min(until, next_attempt_);
    if (state_ == State::connecting) until = std::min(until, give_up_at_);
    if (!in_flight_.empty()) {
        until = std::min(until, in_flight_.front().sent + options_.reply_timeout);
    }
    for (const Later& later : later_) until = std::min(until, later.at);
    int timeout_ms = -1;
    if (until != kNever) {
        const auto rest =
            std::chrono::ceil<std::chrono::milliseconds>(until - env_.clock.mono()).count();
        timeout_ms = static_cast<int>(std::clamp<std::int64_t>(rest, 0, 60'000));
    }
    pollfd waits[2] = {{poke_, POLLIN, 0}, {-1, POLLIN, 0}};
    if (link_) {
        waits[1].fd = link_->fd();
        if (link_->wants_to_write()) waits[1].events |= POLLOUT;
    }
    ::poll(waits, 2, timeout_ms);
    std::uint64_t pokes = 0;
    if (waits[0].revents != 0) (void)!::read(poke_, &pokes, sizeof pokes);
}

void RedisLoop::on_time() {
    const MonoTime now = env_.clock.mono();
    if (state_ == State::down && now >= next_attempt_ && !stop_by_) connect();
    if (state_ == State::connecting && now >= give_up_at_) {
        fail(error(Code::unreachable, "Redis at " + url_.shown() +
                                          " does not answer; is it Redis, and is the url right?"));
    }
    if (!in_flight_.empty() && now >= in_flight_.front().sent + options_.reply_timeout) {
        fail(error(Code::unreachable, "Redis at " + url_.shown() + " stopped to answer"));
    }
    for (Later& later : later_) {
        if (later.at > now) continue;
        later.queue->waiting.push_front(std::move(later.batch));
        list(*later.queue);
    }
    std::erase_if(later_, [](const Later& later) { return later.batch == nullptr; });
}

}  // namespace penstock
