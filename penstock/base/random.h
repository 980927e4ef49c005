#pragma once

#include <cstdint>

namespace penstock {

/// Where chance comes from. Threads: any.
class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;  ///< uniform over all 64-bit values
};

}  // namespace penstock
