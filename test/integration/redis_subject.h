#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string>
#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/gate/redis/redis_gate.h"
#include "test/contract/gate_subject.h"
#include "test/kit/engines.h"
#include "test/kit/fault_proxy.h"

namespace penstock::test {

using Words = std::vector<std::string>;

/// A person at redis-cli. Threads: one.
class Operator {
public:
    explicit Operator(int port, const std::string& password = "");
    /// The reply as text: an error as it is, lists with a line for each entry, nothing as "nil".
    std::string run(const Words& words);
    std::string info(const std::string& field);
    /// Every key below `prefix` with all it holds, for comparison.
    std::string dump(const std::string& prefix);

private:
    struct Free {
        void operator()(redisContext* context) const { ::redisFree(context); }
    };
    const std::unique_ptr<redisContext, Free> context_;
};

/// Keeps what a gate told of itself. Threads: any; the wait_ functions one, always the same.
class Witness final : public RedisGateObserver {
public:
    void rebuild_needed(std::string_view resource, std::string_view why) noexcept override;
    void settlements_dropped(std::string_view resource, std::string_view why) noexcept override;
    void connected() noexcept override;
    void disconnected(const Error& why) noexcept override;

    /// False: not within 30 s.
    bool wait_connected(int times);
    bool wait_disconnected(int times);
    int connects();
    int disconnects();
    Error last_error();
    /// "resource: why" in order.
    Words told();
    Words told_dropped();  ///< of settlements_dropped()

private:
    struct Seen {
        int connected = 0, disconnected = 0;
        Error last;
        Words told, told_dropped;
    };
    bool wait(const std::function<bool(const Seen&)>& until);

    const std::unique_ptr<Wake> changed_ = system_env().executor.make_wake();
    Guarded<Seen> seen_;
};

/// One process's gate at a server, as the contract's subject, and its witness.
class RedisSubject {
public:
    explicit RedisSubject(RedisGateOptions options);
    explicit RedisSubject(int port) : RedisSubject(options_for(port)) {}

    static RedisGateOptions options_for(int port);

    contract::GateSubject& operator*() { return subject_; }
    contract::GateSubject* operator->() { return &subject_; }
    Witness& witness() { return *witness_; }
    /// Asks for one unit each under ids that no subject used; how many of them got `wanted`. An
    /// error is a failure.
    int ask_new(int count, Admission wanted);
    /// Asks until the answer is no error; the answers on the way must be unreachable.
    Admission ask_until_answered(const contract::Claim& claim);

private:
    static contract::GateAdapter adapter(const RedisGateOptions& options, Witness& witness);

    const std::unique_ptr<Witness> witness_ = std::make_unique<Witness>();
    contract::GateSubject subject_;
    std::uint64_t next_id_;
};

/// Waits until `holds` without a pause of its own: each try asks a server. False: not within 30 s.
bool eventually(const std::function<bool()>& holds);

}  // namespace penstock::test
