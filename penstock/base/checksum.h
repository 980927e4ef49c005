#pragma once

#include <cstdint>

#include "penstock/base/bytes.h"

namespace penstock {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), hardware where there is any. `seed` continues an
/// earlier value: crc32c(b, crc32c(a)) == crc32c(a + b). At most 2^31 - 1 bytes at once.
std::uint32_t crc32c(Bytes bytes, std::uint32_t seed = 0);

}  // namespace penstock
