// The connection of a RedisLoop: greeting, loss, and what becomes of what was under way.

#include <fmt/format.h>

#include <algorithm>

#include "penstock/gate/redis/redis_loop.h"

namespace penstock {
namespace {

std::string_view text_of(const redisReply& reply) {
    return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

}  // namespace

void RedisLoop::connect() {
    state_ = State::connecting;
    give_up_at_ = env_.clock.mono() + options_.connect_timeout;
    auto link = RedisLink::start(url_);
    if (!link) return fail(link.error());
    link_ = std::move(*link);
    greetings_.clear();
    const auto say = [&](Step step, std::initializer_list<std::string_view> words) {
        link_->send({words.begin(), words.size()});
        greetings_.push_back(step);
    };
    if (!url_.at.user.empty()) {
        say(Step::login, {"AUTH", url_.at.user, *url_.at.password});
    } else if (url_.at.password) {
        say(Step::login, {"AUTH", *url_.at.password});
    }
    if (url_.database != 0) say(Step::database, {"SELECT", std::to_string(url_.database)});
    say(Step::info, {"INFO"});
    say(Step::claims, {"SCRIPT", "LOAD", claims_text_});
    say(Step::control, {"SCRIPT", "LOAD", control_text_});
}

void RedisLoop::serve_link() {
    if (!link_) return;
    if (link_->wants_to_write()) {
        if (const auto written = link_->write(); !written) return fail(written.error());
    }
    if (const auto come = link_->read(); !come) return fail(come.error());
    while (link_) {
        auto reply = link_->next();
        if (!reply) return fail(reply.error());
        if (*reply == nullptr) return;
        if (state_ == State::connecting) {
            greet(**reply);
        } else {
            replied(**reply);
        }
    }
}

void RedisLoop::greet(redisReply& reply) {
    const Step step = greetings_.front();
    greetings_.pop_front();
    if (const auto accepted = greeting(step, reply); !accepted) return fail(accepted.error());
    if (greetings_.empty()) came_up();
}

Result<void> RedisLoop::greeting(Step step, const redisReply& reply) {
    const std::string_view text = text_of(reply);
    const std::string place = url_.shown();
    if (reply.type == REDIS_REPLY_ERROR) {
        if (text.starts_with("LOADING") || text.starts_with("BUSY")) {
            return error(Code::not_ready, fmt::format("Redis at {} is not ready: {}", place, text));
        }
        const bool login = step == Step::login || text.starts_with("NOAUTH");
        // The server's text: it never repeats a password.
        return error(
            Code::invalid,
            fmt::format("Redis at {} refuses {}: {}; check the {} in the url", place,
                        login ? "the login" : "what the gate needs", text,
                        step == Step::database && !login ? "database" : "user and password"));
    }
    if (step == Step::info) {
        const ServerFacts facts = facts_of(text);
        if (first_ != nullptr) server_version_ = facts.version;
#if PENSTOCK_FAILPOINTS
        PENSTOCK_TRY(check(facts, place, options_.any_policy));
#else
        PENSTOCK_TRY(check(facts, place, false));
#endif
        if (!run_id_.empty() && facts.run_id != run_id_) {
            observer_.rebuild_needed({}, "another Redis process answers");
            for (const auto& [name, queue] : queues_) queue->told = true;
        }
        run_id_ = facts.run_id;
    } else if (step == Step::claims) {
        claims_sha_ = text;
    } else if (step == Step::control) {
        control_sha_ = text;
    }
    return {};
}

void RedisLoop::came_up() {
    state_ = State::ready;
    attempts_ = 0;
    told_dropped_ = false;
    observer_.connected();
    if (Call* const first = std::exchange(first_, nullptr))
        first->finish(std::vector<std::string>());
    for (const auto& [name, queue] : queues_) {
        if (!queue->waiting.empty()) list(*queue);
    }
}

/// Ends the connection. What was under way may have been done; what waited was not.
void RedisLoop::fail(const Error& why) {
    link_.reset();
    greetings_.clear();
    state_ = State::down;
    down_ = why;
    const auto back_off =
        std::min<std::int64_t>(options_.reconnect_most.count(), options_.reconnect_first.count()
                                                                    << std::min(attempts_, 16U));
    ++attempts_;
    const auto chance = static_cast<std::int64_t>(
        env_.random.next() % static_cast<std::uint64_t>(std::max<std::int64_t>(1, back_off)));
    next_attempt_ = env_.clock.mono() + std::chrono::milliseconds((back_off + chance + 1) / 2);

    Error broken = why;
    broken.effect = Effect::unknown;
    std::deque<InFlight> under_way = std::move(in_flight_);
    in_flight_.clear();
    for (InFlight& flight : under_way) {
        --flight.queue->in_flight;
        answer_all(*flight.batch, broken);
        if (flight.batch->call != nullptr) flight.batch->call->finish(broken);
    }
    // The last first: what was said first shall be at the front again.
    for (auto flight = under_way.rbegin(); flight != under_way.rend(); ++flight) {
        settle_again(*flight->queue, *flight->batch);
    }
    for (Queue* const queue : sendable_) queue->listed = false;
    sendable_.clear();
    for (const auto& [name, queue] : queues_) refuse_waiting(*queue, why);
    if (why.code != Code::stopped) observer_.disconnected(why);
    if (Call* const first = std::exchange(first_, nullptr)) first->finish(why);
}

void RedisLoop::settle_again(Queue& queue, const Batch& batch) {
    if (auto kept = batch.settlements()) queue.waiting.push_front(std::move(kept));
}

/// Without a connection asks and calls are answered at once; settlements wait for the next.
void RedisLoop::refuse_waiting(Queue& queue, const Error& why) {
    std::deque<std::unique_ptr<Batch>> kept;
    for (std::unique_ptr<Batch>& batch : queue.waiting) {
        answer_all(*batch, why);
        if (batch->call != nullptr) batch->call->finish(why);
        auto settlements = batch->settlements();
        if (!settlements) continue;
        const bool joins = !kept.empty() && kept.back()->ops.size() + settlements->ops.size() <=
                                                options_.claims_per_call;
        if (!joins) {
            kept.push_back(std::move(settlements));
            continue;
        }
        for (const ClaimOp& op : settlements->ops) kept.back()->add(op, settlements->holder_of(op));
    }
    queue.waiting = std::move(kept);
}

}  // namespace penstock
