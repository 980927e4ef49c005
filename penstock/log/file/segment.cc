#include "penstock/log/file/segment.h"

#include <fmt/format.h>

#include <charconv>

namespace penstock::logfile {

namespace {
constexpr std::size_t kDigits = 20;
}

std::string segment_name(Offset base) {
    return fmt::format("{:020}{}", base.value(), kSegmentSuffix);
}

std::optional<Offset> base_of_segment(std::string_view name) {
    if (name.size() != kDigits + kSegmentSuffix.size() || !name.ends_with(kSegmentSuffix))
        return {};
    std::uint64_t base = 0;
    const char* last = name.data() + kDigits;
    const auto [end, failure] = std::from_chars(name.data(), last, base);
    if (failure != std::errc{} || end != last) return {};
    return Offset(base);
}

}  // namespace penstock::logfile
