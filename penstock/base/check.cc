#include "penstock/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace penstock {

void check_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "penstock: internal error: %s does not hold at %s:%d\n", expression, file,
                 line);
    std::fflush(stderr);
    std::abort();
}

}  // namespace penstock
