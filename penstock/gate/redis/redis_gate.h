#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/gate/gate.h"
#include "penstock/gate/redis/scripts.h"

namespace penstock {

class RedisLoop;

/// What the gate tells of itself. Threads: the gate's own, which waits for the return: only wake
/// somebody here, and call nothing of the gate.
class RedisGateObserver {
public:
    virtual ~RedisGateObserver() = default;
    /// What Redis has of `resource` (empty: of every resource) is lost or old. It answers
    /// rebuilding until begin_rebuild() with a higher generation. Told once, until it is sound
    /// again.
    virtual void rebuild_needed(std::string_view resource, std::string_view why) noexcept = 0;
    /// The same, but it seems whole and counts too much until then.
    virtual void settlements_dropped(std::string_view resource, std::string_view why) noexcept = 0;
    virtual void connected() noexcept {}
    /// Every attempt that failed, too. The gate goes on trying.
    virtual void disconnected(const Error&) noexcept {}
};

struct RedisGateOptions {
    std::string url =
        "redis://127.0.0.1:6379";      ///< redis://[[user]:password@]host[:port][/database]
    std::string prefix = "penstock:";  ///< of every key; no { or }
    std::chrono::milliseconds connect_timeout{2'000};
    std::chrono::milliseconds reply_timeout{2'000};  ///< then the connection is given up
    std::chrono::milliseconds reconnect_first{20};   ///< doubles, with chance, up to
    std::chrono::milliseconds reconnect_most{1'000};
    std::size_t most_asks = 65'536;      ///< waiting for an answer; further ones are overloaded
    std::size_t most_settled = 262'144;  ///< waiting for Redis; further ones are dropped
    std::size_t claims_per_call = 1'000;
    std::size_t calls_in_flight = 2;  ///< of one resource; what comes meanwhile shares the next
#if PENSTOCK_FAILPOINTS
    GateCheck without = GateCheck::none;  ///< leave a check of the scripts out
    bool any_policy = false;              ///< take a server that may evict
#endif
};

/// The gate of many processes: units and reservations in Redis (6 or later, one primary, no
/// cluster), changed only by scripts that do all or nothing.
///
/// State is bound to the process of the server that it was built on. A server that was restarted,
/// emptied, or replaced by a replica therefore answers rebuilding for every resource until a
/// rebuild with a higher generation, whoever asks; so does state of which a part is missing, or
/// which is older than this object has seen it. Generations of a resource's name must go up for
/// ever, also over drop(), where several processes use it.
///
/// Asks that come while a call is under way share the next one. Errors of ask(): `unreachable` with
/// effect none while there is no connection, at once; with effect unknown if it broke before the
/// reply came: the same id asked again gets `again` if it was admitted. `overloaded`, `no_space`
/// (Redis is out of memory), `unsafe` (a key holds foreign data, which stays untouched),
/// `not_ready`; all with effect none. settle() is repeated until Redis has it.
///
/// Threads: any. Answers come on the gate's own thread; those for a full queue, for no units and
/// after the stop on the caller's, before ask() returns. A sink calls nothing of the gate but ask()
/// and settle().
class RedisGate final : public Gate {
public:
    /// Connects once, so that a wrong address, password or setting is told here: invalid (url,
    /// password), unreachable, unsafe (the setting is named), not_ready. Later it connects again
    /// by itself. `env` and `observer` outlive the gate.
    static Result<std::unique_ptr<RedisGate>> open(Env& env, RedisGateOptions options,
                                                   RedisGateObserver& observer);
    /// Waits, at most for the reply_timeout, until Redis has what was settled.
    ~RedisGate() override;

    std::string about() const override;
    void ask(std::span<const Ask> asks, LogTime now, std::uint64_t first_tag,
             GateSink& sink) override;
    void settle(std::span<const Settled> settled) override;
    Result<void> begin_rebuild(const ResourceSpec& spec, GateGeneration generation) override;
    Result<void> load(const ResourceId& resource, GateGeneration generation,
                      std::span<const Holding> holdings) override;
    Result<void> open(const ResourceId& resource, GateGeneration generation) override;
    Result<void> alter(const ResourceSpec& spec) override;
    /// `open` is false, too, if the state is lost.
    Result<GateCounts> counts(const ResourceId& resource) override;
    Result<void> drop(const ResourceId& resource) override;

private:
    explicit RedisGate(std::unique_ptr<RedisLoop> loop);
    Result<std::vector<std::string>> control(const ResourceId& resource,
                                             std::vector<std::string> words);

    const std::unique_ptr<RedisLoop> loop_;
};

}  // namespace penstock
