// What a RedisLoop says to Redis about resources, and what it makes of the replies.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "penstock/gate/redis/gate_state.h"
#include "penstock/gate/redis/message_pack.h"
#include "penstock/gate/redis/redis_loop.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kLater{100};  ///< until a settlement is tried again

std::string_view text_of(const redisReply& reply) {
    return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

std::string_view word(const redisReply& reply, std::size_t index) {
    if (reply.type != REDIS_REPLY_ARRAY || index >= reply.elements) return {};
    return text_of(*reply.element[index]);
}

std::vector<std::string> words_of(const redisReply& reply) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < reply.elements; ++i) words.emplace_back(word(reply, i));
    if (words.empty()) words.emplace_back();
    return words;
}

Error foreign(std::string_view key) {
    return error(Code::unsafe,
                 fmt::format("the Redis key {} holds data that is not the gate's; it stays "
                             "untouched: remove it, or set another gate.prefix",
                             key));
}

/// What an error reply says; before version 7 the server writes more around its word. The scripts
/// write last and whole, so one that was refused or killed has done nothing; of an error that
/// nobody foresaw, this is not known.
Error error_of(std::string_view text) {
    struct Known {
        std::string_view name;
        Code code;
    };
    constexpr std::array kKnown = {
        Known{"OOM", Code::no_space},         Known{"BUSY", Code::not_ready},
        Known{"MISCONF", Code::not_ready},    Known{"NOREPLICAS", Code::not_ready},
        Known{"READONLY", Code::not_ready},   Known{"LOADING", Code::not_ready},
        Known{"MASTERDOWN", Code::not_ready}, Known{"WRONGTYPE", Code::unsafe}};
    const std::string message = fmt::format("Redis refused the gate's script: {}", text);
    for (const Known& known : kKnown) {
        if (text.find(known.name) != std::string_view::npos) return error(known.code, message);
    }
    if (text.find("SCRIPT KILL") != std::string_view::npos) return error(Code::not_ready, message);
    return unknown_effect(Code::io, message);
}

}  // namespace

void RedisLoop::send_all() {
    for (std::size_t i = 0; i < sendable_.size(); ++i) {
        Queue& queue = *sendable_[i];
        queue.listed = false;
        while (!queue.waiting.empty() && queue.in_flight < options_.calls_in_flight) {
            send(queue, *queue.waiting.front(), false);
            ++queue.in_flight;
            in_flight_.push_back({&queue, std::move(queue.waiting.front()), env_.clock.mono()});
            queue.waiting.pop_front();
        }
    }
    sendable_.clear();
    if (!link_->wants_to_write()) return;
    if (const auto written = link_->write(); !written) fail(written.error());
}

void RedisLoop::send(Queue& queue, const Batch& batch, bool whole_script) {
    const ResourceKeys& keys = queue.keys;
    const std::string generation = digits(queue.generation);
    const std::string writes = std::to_string(queue.writes);
    const bool control = !batch.control.empty();
    std::vector<std::string_view> words = {whole_script ? "EVAL" : "EVALSHA"};
    if (whole_script) {
        words.emplace_back(control ? control_text_ : claims_text_);
    } else {
        words.emplace_back(control ? control_sha_ : claims_sha_);
    }
    words.insert(words.end(), {"2", keys.units, keys.back, run_id_, generation, writes});
    if (control) {
        words.insert(words.end(), batch.control.begin(), batch.control.end());
    } else {
        arguments_.encode(batch);
        words.insert(words.end(), {batch.load_generation, arguments_.fields, arguments_.kinds,
                                   arguments_.quantities, arguments_.base, arguments_.later});
    }
    link_->send(words);
}

void RedisLoop::replied(redisReply& reply) {
    if (in_flight_.empty()) {
        return fail(error(Code::io, "Redis replied to what nobody asked"));
    }
    InFlight flight = std::move(in_flight_.front());
    in_flight_.pop_front();
    Queue& queue = *flight.queue;
    // Its scripts were flushed: the whole text runs it and is kept for the next.
    const bool no_script =
        reply.type == REDIS_REPLY_ERROR && text_of(reply).starts_with("NOSCRIPT");
    // Rebuilt since: said again, which sets it apart from what only comes late.
    const bool rebuilt = word(reply, 0) == "generation";
    if (rebuilt) begins(queue, parse_number(word(reply, 1)).value_or(0));
    if (no_script || rebuilt) {
        send(queue, *flight.batch, no_script);
        in_flight_.push_back(std::move(flight));
        return;
    }
    --queue.in_flight;
    if (!queue.waiting.empty()) list(queue);
    if (reply.type == REDIS_REPLY_ERROR) return refused(std::move(flight), text_of(reply));
    if (flight.batch->call != nullptr) {
        auto words = words_of(reply);
        learn_from_call(queue, *flight.batch, words);
        if (words[0] == "foreign") {
            flight.batch->call->finish(foreign(words.size() > 1 ? words[1] : ""));
        } else {
            flight.batch->call->finish(std::move(words));
        }
        return;
    }
    answered(queue, *flight.batch, reply);
}

void RedisLoop::refused(InFlight flight, std::string_view text) {
    Error why = error_of(text);
    if (why.code == Code::unsafe) why = foreign(flight.queue->keys.units);
    const Batch& batch = *flight.batch;
    if (batch.call != nullptr) return batch.call->finish(why);
    answer_all(batch, why);
    if (auto kept = batch.settlements()) {
        if (why.effect == Effect::none && why.code != Code::unsafe) {
            later_.push_back({env_.clock.mono() + kLater, flight.queue, std::move(kept)});
        } else {
            settled_.fetch_sub(kept->ops.size());
            observer_.settlements_dropped(flight.queue->name,
                                          fmt::format("settlements were dropped: {}", why.text));
        }
    }
    // No longer the primary, or not yet: look again who answers there.
    for (const std::string_view other : {"READONLY", "LOADING", "MASTERDOWN"}) {
        if (text.find(other) != std::string_view::npos) return fail(why);
    }
}

void RedisLoop::answered(Queue& queue, const Batch& batch, const redisReply& reply) {
    const std::string_view kind = word(reply, 0);
    if (kind == "ok") return answered_ok(queue, batch, reply);
    settlements_done(batch);
    if (kind == "lost") {
        tell(queue, word(reply, 1));
        answer_all(batch, Admission::rebuilding, queue.generation);
    } else if (kind == "missing" && queue.generation != GateGeneration(0)) {
        tell(queue, "Redis does not have it any more");
        answer_all(batch, Admission::rebuilding, queue.generation);
    } else if (kind == "missing" || kind == "dropped") {
        queue.generation = {};
        queue.writes = 0;
        answer_all(batch, Admission::no_resource);
    } else if (kind == "foreign") {
        answer_all(batch, foreign(word(reply, 1)));
    } else {
        answer_all(batch, unknown_effect(Code::io, "Redis gave a reply that no script gives"));
    }
}

void RedisLoop::answered_ok(Queue& queue, const Batch& batch, const redisReply& reply) {
    const GateGeneration generation(parse_number(word(reply, 1)).value_or(0));
    const std::string_view codes = word(reply, 4);
    message_pack::Numbers lefts(word(reply, 5));
    settlements_done(batch);
    if (reply.elements != 6 || codes.size() != batch.ops.size() ||
        (lefts.count() != 0 && lefts.count() != batch.ops.size())) {
        return answer_all(batch, unknown_effect(Code::io, "Redis gave a reply of another length"));
    }
    queue.generation = generation;
    queue.writes = static_cast<std::uint64_t>(reply.element[2]->integer);
    queue.told = false;
    std::int64_t free = reply.element[3]->integer;
    lefts_.clear();
    for (std::size_t i = 0; i < batch.ops.size(); ++i) {
        if (lefts.count() != 0) {
            free = static_cast<std::int64_t>(lefts.next().value_or(0));
        } else if (static_cast<Admission>(codes[i]) == Admission::admitted) {
            free -= batch.ops[i].quantity;
        }
        lefts_.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(0, free)));
    }
    answer_each(batch, [&](std::size_t i) {
        return Answer{batch.ops[i].tag, static_cast<Admission>(codes[i]), lefts_[i], generation};
    });
}

void RedisLoop::begins(Queue& queue, std::uint64_t generation) {
    queue.generation = GateGeneration(generation);
    queue.writes = 0;
    queue.told = false;
}

/// Keeps what a call says of the resource, so that an older state is known for what it is.
void RedisLoop::learn_from_call(Queue& queue, const Batch& batch,
                                const std::vector<std::string>& words) {
    const std::string_view verb = batch.control.empty() ? std::string_view() : batch.control[0];
    const std::string& kind = words[0];
    if (verb == "drop" || kind == "dropped") {
        if (kind == "foreign") return;
        queue.generation = {};
        queue.writes = 0;
    } else if (verb == "begin" && kind == "ok") {
        begins(queue, parse_number(batch.control[1]).value_or(0));
    } else if (verb == "counts" && kind == "ok" && words.size() > 2) {
        tell(queue, words[2]);
    } else if (kind == "lost") {
        tell(queue, words.size() > 1 ? words[1] : "");
    } else if (kind == "missing" && queue.generation != GateGeneration(0)) {
        tell(queue, "Redis does not have it any more");
    }
}

/// Gives make(i) to the sink of op i, for each ask of the batch; neighbours of one sink at once.
template <class Make>
void RedisLoop::answer_each(const Batch& batch, Make&& make) {
    answers_.clear();
    GateSink* sink = nullptr;
    const auto give = [&] {
        if (answers_.empty()) return;
        asks_.fetch_sub(answers_.size());
        sink->answered(answers_);
        answers_.clear();
    };
    for (std::size_t i = 0; i < batch.ops.size(); ++i) {
        const ClaimOp& op = batch.ops[i];
        if (op.kind != OpKind::ask) continue;
        if (op.sink != sink) give();
        sink = op.sink;
        answers_.push_back(make(i));
    }
    give();
}

void RedisLoop::answer_all(const Batch& batch, const Result<Admission>& admission,
                           GateGeneration generation) {
    if (batch.call != nullptr) return;
    answer_each(batch, [&](std::size_t i) {
        return Answer{batch.ops[i].tag, admission, 0, generation};
    });
}

void RedisLoop::settlements_done(const Batch& batch) {
    const auto settlements =
        std::count_if(batch.ops.begin(), batch.ops.end(),
                      [](const ClaimOp& op) { return op.kind != OpKind::ask; });
    settled_.fetch_sub(static_cast<std::size_t>(settlements));
}

void RedisLoop::tell(Queue& queue, std::string_view why) {
    if (queue.told) return;
    queue.told = true;
    observer_.rebuild_needed(queue.name, why);
}

}  // namespace penstock
