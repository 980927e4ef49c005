#pragma once

namespace penstock {

inline constexpr const char* kVersion = PENSTOCK_VERSION;

}  // namespace penstock
