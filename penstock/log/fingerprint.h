#pragma once

#include <cstdint>

#include "penstock/log/log.h"

namespace penstock {

/// CRC-32C over offset, time, layout, key, value and headers: the same in every adapter. The store
/// keeps that of the last applied record; another one at the next start means another history.
std::uint32_t fingerprint(const Logged& record);

}  // namespace penstock
