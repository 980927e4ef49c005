#pragma once

#include "penstock/base/result.h"

namespace penstock::cli {

// As sysexits.h has them, where it has one.
inline constexpr int kExitDone = 0;
inline constexpr int kExitCheckFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitData = 65;         ///< damaged or missing data
inline constexpr int kExitUnavailable = 69;  ///< a port is taken, a server cannot be reached
inline constexpr int kExitIo = 74;           ///< I/O error, disk full or read-only
inline constexpr int kExitInUse = 75;        ///< another process has the data directory
inline constexpr int kExitConfig = 78;       ///< unsafe or wrong configuration, or too new data

int exit_code(const Error& error);

}  // namespace penstock::cli
