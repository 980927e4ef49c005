#pragma once

namespace penstock {

[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace penstock

/// A bug of ours ends the process. On in every build; never for input, disk or network data.
#define PENSTOCK_CHECK(expression)           \
    (static_cast<bool>(expression) ? void(0) \
                                   : ::penstock::check_failed(#expression, __FILE__, __LINE__))
