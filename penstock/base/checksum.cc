#include "penstock/base/checksum.h"

#include <isa-l/crc.h>

#include <limits>

#include "penstock/base/check.h"

namespace penstock {

std::uint32_t crc32c(Bytes bytes, std::uint32_t seed) {
    PENSTOCK_CHECK(bytes.size() <= std::numeric_limits<int>::max());
    // ISA-L leaves the inversion before and after to the caller.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
    return ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~seed);
}

}  // namespace penstock
