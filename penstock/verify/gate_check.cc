#include <fmt/format.h>

#include "penstock/verify/totals.h"

namespace penstock::verify {
namespace {

const GateCounts* find(const std::vector<GateCounts>& counts, const std::string& resource) {
    for (const GateCounts& one : counts) {
        if (one.spec.resource.value() == resource) return &one;
    }
    return nullptr;
}

bool same_spec(const GateCounts& counts, const StockRow& row) {
    const ResourceSpec& spec = counts.spec;
    const auto ms = [](const std::optional<LogTime>& time) {
        return time ? std::optional<std::int64_t>(unix_ms(*time)) : std::nullopt;
    };
    return std::int64_t{spec.quantity} == row.quantity &&
           spec.per_holder.has_value() == row.per_user.has_value() &&
           (!row.per_user || std::int64_t{*spec.per_holder} == *row.per_user) &&
           ms(spec.opens_at) == row.opens_at_ms && ms(spec.closes_at) == row.closes_at_ms &&
           spec.closed == row.closed;
}

}  // namespace

Result<void> check_gate(const std::vector<GateCounts>& before, const std::vector<GateCounts>& after,
                        Tables& tables, Replay& replay, Report& report) {
    Check& check = report.check("the gate agrees with store and log");
    std::uint64_t moving = 0;
    std::string last;
    std::size_t rows = 0;
    for (;;) {
        const auto page = tables.stock(last, 1000);
        if (!page) return page.error();
        for (const StockRow& row : *page) {
            last = row.campaign;
            ++rows;
            const GateCounts* const was = find(before, row.campaign);
            const GateCounts* const is = find(after, row.campaign);
            if (is == nullptr) {
                fault(check, fmt::format("campaign {} is not in the gate", row.campaign));
                continue;
            }
            if (was == nullptr || !was->open || !is->open) {
                ++check.not_compared;
                continue;
            }
            const bool still = was->granted == is->granted && was->reserved == is->reserved &&
                               was->spec.closed == is->spec.closed;
            const auto granted = static_cast<std::uint64_t>(row.granted);
            if (granted < was->granted || granted > is->granted) {
                fault(check, fmt::format("campaign {}: the store has granted {}, the gate {}",
                                         row.campaign, granted, is->granted));
            }
            if (!still) {
                ++moving;
                continue;
            }
            if (!same_spec(*is, row)) {
                fault(check, fmt::format("campaign {}: the gate has other settings", row.campaign));
            }
            const auto line = replay.in_line().find(row.campaign);
            const std::int64_t due = line == replay.in_line().end() ? 0 : line->second;
            if (is->reserved != static_cast<std::uint64_t>(due)) {
                fault(check, fmt::format("campaign {}: the gate has reserved {}, and claims for {} "
                                         "are in line",
                                         row.campaign, is->reserved, due));
            }
        }
        if (page->size() < 1000) break;
    }
    for (const GateCounts& one : before) {
        const auto row = tables.stock_of(one.spec.resource.value());
        if (!row) return row.error();
        if (!*row) {
            fault(check, fmt::format("the gate has {}, the store no such campaign",
                                     one.spec.resource.value()));
        }
    }
    check.figure = fmt::format("{} campaigns", rows);
    if (moving != 0) check.figure += fmt::format(", {} of them moving: as bounds", moving);
    return {};
}

}  // namespace penstock::verify
