#include "penstock/gate/redis/redis_gate.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/gate/redis/gate_state.h"
#include "penstock/gate/redis/redis_loop.h"

namespace penstock {
namespace {

/// What is left of a dropped resource, so that other processes learn that it is gone and not lost.
constexpr std::string_view kTombstoneMs = "86400000";

/// Before and after every time: what "always" is to the scripts.
constexpr std::string_view kBeforeAll = "-1000000000000000";
constexpr std::string_view kAfterAll = "1000000000000000";

std::string text_of(std::optional<LogTime> time, std::string_view none) {
    return time ? std::to_string(lua_ms(*time)) : std::string(none);
}

/// quantity, limit, opens_at, closes_at, closed: as the control script takes them.
void add_spec(std::vector<std::string>& words, const ResourceSpec& spec) {
    words.push_back(std::to_string(spec.quantity));
    words.push_back(spec.per_holder ? std::to_string(*spec.per_holder) : "-1");
    words.push_back(text_of(spec.opens_at, kBeforeAll));
    words.push_back(text_of(spec.closes_at, kAfterAll));
    words.push_back(spec.closed ? "1" : "0");
}

/// What a call that changes a resource says, once it was understood.
Result<void> done(const Result<std::vector<std::string>>& reply, std::string_view resource) {
    if (!reply) return reply.error();
    const std::string& kind = reply->front();
    if (kind == "ok") return {};
    const std::string_view detail = reply->size() > 1 ? (*reply)[1] : std::string_view();
    if (kind == "missing" || kind == "dropped") {
        return error(Code::not_found, fmt::format("the gate has no resource {}", resource));
    }
    if (kind == "fenced") {
        return error(Code::fenced,
                     fmt::format("the gate is at generation {}", parse_number(detail).value_or(0)));
    }
    if (kind == "opened") return error(Code::invalid, "load() after open()");
    if (kind == "differs") {
        return error(Code::invalid, "quantity and per_holder of a resource cannot change");
    }
    if (kind == "lost") {
        return error(Code::not_ready,
                     fmt::format("the gate lost {}: {}; rebuild it with a higher generation",
                                 resource, detail));
    }
    return unknown_effect(Code::io, "Redis gave a reply that no script gives");
}

Result<void> check_options(const RedisGateOptions& options) {
    if (options.prefix.find_first_of("{}") != std::string::npos) {
        return error(Code::invalid, "the prefix of the gate's Redis keys has no { and no }");
    }
    if (options.claims_per_call == 0 || options.claims_per_call > kMostOpsPerCall ||
        options.calls_in_flight == 0) {
        return error(Code::invalid, fmt::format("claims_per_call is 1 to {}, calls_in_flight at "
                                                "least 1",
                                                kMostOpsPerCall));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<RedisGate>> RedisGate::open(Env& env, RedisGateOptions options,
                                                   RedisGateObserver& observer) {
    PENSTOCK_TRY(check_options(options));
    auto url = parse_redis_url(options.url);
    if (!url) return url.error();
    auto loop = std::make_unique<RedisLoop>(env, std::move(options), *std::move(url), observer);
    PENSTOCK_TRY(loop->start());
    return std::unique_ptr<RedisGate>(new RedisGate(std::move(loop)));
}

RedisGate::RedisGate(std::unique_ptr<RedisLoop> loop) : loop_(std::move(loop)) {}
RedisGate::~RedisGate() = default;

std::string RedisGate::about() const {
    return fmt::format("Redis {}; hiredis {}.{}.{}", loop_->server_version(), HIREDIS_MAJOR,
                       HIREDIS_MINOR, HIREDIS_PATCH);
}

void RedisGate::ask(std::span<const Ask> asks, LogTime now, std::uint64_t first_tag,
                    GateSink& sink) {
    const auto valid = [](const Ask& ask) {
        return ask.quantity != 0 && ask.holder.size() <= kMostNameBytes &&
               ask.resource.size() <= kMostNameBytes;
    };
    while (!asks.empty()) {
        const auto end = std::find_if_not(asks.begin(), asks.end(), valid);
        const auto count = static_cast<std::size_t>(end - asks.begin());
        loop_->ask(asks.first(count), now, first_tag, sink);
        first_tag += count;
        asks = asks.subspan(count);
        if (asks.empty()) return;
        const Answer invalid{
            first_tag++,
            error(Code::invalid, "ask for one unit or more, with names of at most 1,024 bytes"),
            0,
            {}};
        sink.answered({&invalid, 1});
        asks = asks.subspan(1);
    }
}

void RedisGate::settle(std::span<const Settled> settled) {
    loop_->settle(settled);
}

Result<std::vector<std::string>> RedisGate::control(const ResourceId& resource,
                                                    std::vector<std::string> words) {
    auto batch = std::make_unique<Batch>();
    batch->control = std::move(words);
    return loop_->run(resource.value(), std::move(batch));
}

Result<void> RedisGate::begin_rebuild(const ResourceSpec& spec, GateGeneration generation) {
    PENSTOCK_TRY(check_spec(spec));
    if (spec.resource.value().size() > kMostNameBytes) {
        return error(Code::invalid, "a resource's name is at most 1,024 bytes");
    }
    std::vector<std::string> words = {"begin", digits(generation)};
    add_spec(words, spec);
    words.push_back(spec.final_granted ? std::to_string(*spec.final_granted) : "");
    return done(control(spec.resource, std::move(words)), spec.resource.value());
}

Result<void> RedisGate::load(const ResourceId& resource, GateGeneration generation,
                             std::span<const Holding> holdings) {
    for (const Holding& holding : holdings) {
        if (holding.quantity == 0) return error(Code::invalid, "a holding of no units");
        if (holding.holder.size() > kMostNameBytes) {
            return error(Code::invalid, "a holder of more than 1,024 bytes");
        }
    }
    do {
        const auto part = holdings.first(std::min(holdings.size(), kMostOpsPerCall));
        auto batch = std::make_unique<Batch>();
        batch->load_generation = digits(generation);
        for (const Holding& holding : part) {
            ClaimOp op;
            op.kind = holding.granted ? OpKind::grant : OpKind::load_reserved;
            op.id = holding.id;
            op.quantity = std::min(holding.quantity, kMaxUnits);
            batch->add(op, holding.holder);
        }
        PENSTOCK_TRY(done(loop_->run(resource.value(), std::move(batch)), resource.value()));
        holdings = holdings.subspan(part.size());
    } while (!holdings.empty());
    return {};
}

Result<void> RedisGate::open(const ResourceId& resource, GateGeneration generation) {
    return done(control(resource, {"open", digits(generation)}), resource.value());
}

Result<void> RedisGate::alter(const ResourceSpec& spec) {
    std::vector<std::string> words = {"alter"};
    add_spec(words, spec);
    return done(control(spec.resource, std::move(words)), spec.resource.value());
}

Result<GateCounts> RedisGate::counts(const ResourceId& resource) {
    auto reply = control(resource, {"counts"});
    PENSTOCK_TRY(done(reply, resource.value()));
    auto state = parse_state(reply->size() > 1 ? (*reply)[1] : std::string_view());
    if (!state) return error(Code::io, "Redis gave a state that no script writes");
    state->counts.spec.resource = resource;
    return state->counts;
}

Result<void> RedisGate::drop(const ResourceId& resource) {
    auto dropped = done(control(resource, {"drop", std::string(kTombstoneMs)}), resource.value());
    if (!dropped && dropped.error().code == Code::not_found) return {};
    return dropped;
}

}  // namespace penstock
