#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/wake.h"
#include "penstock/gate/gate.h"
#include "penstock/gate/redis/scripts.h"

namespace penstock {

/// The most that one call of a script takes: below what Lua lays on its stack.
inline constexpr std::size_t kMostOpsPerCall = 1000;
/// Of a holder's or a resource's name; longer ones are refused.
inline constexpr std::size_t kMostNameBytes = 1024;

/// The keys of a resource. Bytes of its name other than letters, digits and -_.:/ are written as
/// %XX, so that no name can leave its hash tag or stand for another.
struct ResourceKeys {
    ResourceKeys(std::string_view prefix, std::string_view resource);
    std::string units, back;
};

/// A thread that waits for what a script says.
struct Call {
    explicit Call(std::unique_ptr<Wake> wake) : done(std::move(wake)) {}
    void finish(Result<std::vector<std::string>> words) {
        reply = std::move(words);
        done->notify();  // the last touch: the waiter may be gone
    }

    Result<std::vector<std::string>> reply = std::vector<std::string>();
    const std::unique_ptr<Wake> done;
};

/// One ask, settlement or holding. `sink` and `tag` are those of an ask.
struct ClaimOp {
    OpKind kind = OpKind::ask;
    Uuid id;
    std::uint32_t quantity = 0;
    std::uint32_t holder_at = 0, holder_size = 0;  ///< in the text that goes with the op
    LogTime now;
    GateSink* sink = nullptr;
    std::uint64_t tag = 0;
};

/// What one call of a script carries.
struct Batch {
    std::vector<ClaimOp> ops;
    std::string holders;               ///< texts of the ops
    std::string load_generation;       ///< of a load; else empty
    std::vector<std::string> control;  ///< verb and arguments of the control script; else empty
    Call* call = nullptr;              ///< who waits for it; null: asks and settlements

    void add(ClaimOp op, std::string_view holder);
    std::string_view holder_of(const ClaimOp& op) const {
        return std::string_view(holders).substr(op.holder_at, op.holder_size);
    }
    bool takes_more(std::size_t most) const { return call == nullptr && ops.size() < most; }
    /// The settlements among the ops, for another try; null if there are none.
    std::unique_ptr<Batch> settlements() const;
};

/// The arguments of the claims script that come from a batch. Reused from call to call.
class ClaimArguments {
public:
    void encode(const Batch& batch);

    std::string fields, kinds, quantities, base, later;
};

/// Generations as the scripts compare them: 20 digits.
std::string digits(GateGeneration generation);

/// Unix milliseconds within what Lua counts exactly and writes with all digits: to the year 5138.
std::int64_t lua_ms(LogTime time);

}  // namespace penstock
