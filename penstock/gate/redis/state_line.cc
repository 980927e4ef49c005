#include "penstock/gate/redis/state_line.h"

#include <array>
#include <charconv>

namespace penstock {
namespace {

constexpr std::size_t kFields = 21;  ///< with the marker and the version

std::optional<LogTime> time_of(std::string_view text) {
    std::int64_t ms = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return log_time(ms);
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<StateLine> parse_state(std::string_view line) {
    std::array<std::string_view, kFields> field;
    for (std::size_t i = 0; i < kFields; ++i) {
        const std::size_t end = line.find(' ');
        field[i] = line.substr(0, end);
        if ((end == std::string_view::npos) != (i + 1 == kFields)) return std::nullopt;
        if (end != std::string_view::npos) line.remove_prefix(end + 1);
    }
    if (field[0] != "penstock-gate" || field[1] != "1") return std::nullopt;
    bool whole = true;
    const auto number = [&](std::size_t i) {
        const auto value = parse_number(field[i]);
        whole = whole && value.has_value();
        return value.value_or(0);
    };
    StateLine state;
    GateCounts& counts = state.counts;
    counts.generation = GateGeneration(number(2));
    counts.open = field[4] == "open";
    counts.spec.quantity = static_cast<std::uint32_t>(number(5));
    if (field[6] != "-") counts.spec.per_holder = static_cast<std::uint32_t>(number(6));
    counts.spec.opens_at = time_of(field[7]);
    counts.spec.closes_at = time_of(field[8]);
    counts.spec.closed = field[9] == "1";
    counts.granted = number(10);
    counts.reserved = number(11);
    state.writes = number(14);
    counts.refused_limit = number(15);
    counts.refused_none_free = number(16);
    counts.refused_not_enough = number(17);
    counts.refused_sold_out = number(18);
    counts.refused_not_open = number(19);
    counts.refused_closed = number(20);
    return whole ? std::optional(state) : std::nullopt;
}

}  // namespace penstock
