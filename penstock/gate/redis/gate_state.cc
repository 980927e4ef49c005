#include "penstock/gate/redis/gate_state.h"

#include <bit>
#include <charconv>
#include <cmath>

namespace penstock {
namespace {

constexpr std::string_view kMarker = "penstock-gate 1 ";
constexpr std::size_t kDigits = 20, kRunId = 40, kBytes = 3, kDoubles = 14;
constexpr double kAnyTime = 1e15;  ///< at and beyond it: no time

/// The doubles at the end of a state, in order.
class Doubles {
public:
    explicit Doubles(std::string_view bytes) : bytes_(bytes) {}
    double next() {
        std::uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<std::uint8_t>(bytes_[i]);
        bytes_.remove_prefix(8);
        return std::bit_cast<double>(bits);
    }
    std::uint64_t count() {
        const double value = next();
        return value > 0 ? static_cast<std::uint64_t>(value) : 0;
    }
    std::optional<LogTime> time() {
        const double value = next();
        if (std::abs(value) >= kAnyTime) return std::nullopt;
        return log_time(static_cast<std::int64_t>(value));
    }

private:
    std::string_view bytes_;
};

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<GateState> parse_state(std::string_view line) {
    if (line.size() != kMarker.size() + kDigits + kRunId + kBytes + kDoubles * 8) {
        return std::nullopt;
    }
    if (!line.starts_with(kMarker)) return std::nullopt;
    const auto generation = parse_number(line.substr(kMarker.size(), kDigits));
    if (!generation) return std::nullopt;
    const std::string_view bytes = line.substr(kMarker.size() + kDigits + kRunId);
    GateState state;
    GateCounts& counts = state.counts;
    counts.generation = GateGeneration(*generation);
    counts.open = bytes[0] == 2;
    counts.spec.closed = bytes[1] == 1;
    Doubles rest(bytes.substr(kBytes));
    counts.spec.quantity = static_cast<std::uint32_t>(rest.count());
    const double limit = rest.next();
    if (limit >= 0) counts.spec.per_holder = static_cast<std::uint32_t>(limit);
    counts.spec.opens_at = rest.time();
    counts.spec.closes_at = rest.time();
    counts.granted = rest.count();
    if (bytes[2] == 1) counts.spec.final_granted = static_cast<std::uint32_t>(counts.granted);
    counts.reserved = rest.count();
    rest.count();
    state.writes = rest.count();
    for (std::uint64_t* refused :
         {&counts.refused_limit, &counts.refused_none_free, &counts.refused_not_enough,
          &counts.refused_sold_out, &counts.refused_not_open, &counts.refused_closed}) {
        *refused = rest.count();
    }
    return state;
}

}  // namespace penstock
