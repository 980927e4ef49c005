#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "penstock/gate/gate.h"
#include "penstock/log/log.h"

namespace penstock {

/// What the runtime tells about itself: metrics and logs hang here. Threads: any; must not block.
class RuntimeObserver {
public:
    struct Batch {
        std::size_t commands;  ///< in the batch
        std::size_t done, refused, duplicates, dead;
        std::chrono::nanoseconds store_time;  ///< begin to commit
    };
    enum class Level : std::uint8_t { debug, info, warning, error };

    virtual ~RuntimeObserver() = default;
    virtual void batch(const Batch&) noexcept {}
    virtual void admission(Admission, std::size_t /*count*/) noexcept {}
    /// Bytes that the disk under the data directory has left, looked at a few times a second.
    virtual void disk_free(std::uint64_t /*bytes*/) noexcept {}
    virtual void say(Level, std::string_view /*text*/) noexcept {}
    /// Nothing is decided any more (fenced, damaged, refused by the store). Damage: stay, so that
    /// it can be looked at; /readyz tells. Anything else: end the process.
    virtual void fatal(const Error&) noexcept {}
};

}  // namespace penstock
