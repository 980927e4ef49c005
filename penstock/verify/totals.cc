#include "penstock/verify/totals.h"

#include <fmt/format.h>

#include <limits>

#include "penstock/verify/grant_scan.h"

namespace penstock::verify {
namespace {

constexpr std::int64_t kPage = 1000;

std::optional<std::int64_t> ms_or_none(const std::optional<LogTime>& time) {
    if (!time) return std::nullopt;
    return unix_ms(*time);
}

/// Names what differs; empty: nothing.
std::string difference(const StockRow& row, const Campaign& due) {
    if (row.quantity != due.body.quantity) return "quantity";
    if (row.per_user != due.body.per_user) return "per_user";
    if (row.opens_at_ms != ms_or_none(due.body.opens_at)) return "opens_at";
    if (row.closes_at_ms != ms_or_none(due.body.closes_at)) return "closes_at";
    if (row.closed != due.closed && !due.maybe_closed) return "closed";
    if (row.granted != due.granted) return "granted";
    if (row.created_at_ms != due.created_at_ms) return "created_at";
    if (row.created_offset != due.created_offset) return "created_offset";
    return {};
}

/// Rows of sale_grant of a campaign that no record can explain any more.
Result<std::int64_t> grants_below(Tables& tables, const std::string& campaign,
                                  std::int64_t before) {
    const Value values[] = {std::string_view(campaign), before};
    const auto counted = tables.numbers(
        "SELECT COUNT(*) FROM sale_grant WHERE campaign = :campaign AND record_offset < :before",
        values);
    if (!counted) return counted.error();
    return (*counted)[0];
}

Result<std::int64_t> check_stock(Tables& tables, Replay& replay, GrantScan& scan, Report& report) {
    Check& stock = report.check("campaigns are those of the model");
    Check& sold_out = report.check("granted = quantity where somebody was told sold out");
    std::uint64_t rows = 0;
    std::int64_t trimmed = 0;
    const auto below = static_cast<std::int64_t>(replay.trimmed_below());
    std::string after;
    for (;;) {
        const auto page = tables.stock(after, kPage);
        if (!page) return page.error();
        for (const StockRow& row : *page) {
            ++rows;
            after = row.campaign;
            PENSTOCK_TRY(scan.take(row));
            if (replay.sold_out().count(row.campaign) != 0 && row.granted != row.quantity) {
                fault(sold_out, fmt::format("campaign {}: {} of {} are granted", row.campaign,
                                            row.granted, row.quantity));
            }
            Campaign* due = replay.model().find(row.campaign);
            if (due == nullptr && row.created_offset < below) {
                ++stock.not_compared;
                const auto counted =
                    grants_below(tables, row.campaign, std::numeric_limits<std::int64_t>::max());
                if (!counted) return counted.error();
                trimmed += *counted;
                continue;
            }
            if (due == nullptr) {
                fault(stock, fmt::format("no record has created campaign {}", row.campaign));
                continue;
            }
            due->seen_in_store = true;
            if (due->adopted) {
                const auto counted = grants_below(tables, row.campaign, below);
                if (!counted) return counted.error();
                trimmed += *counted;
            }
            if (const std::string what = difference(row, *due); !what.empty()) {
                fault(stock, fmt::format("campaign {}: {} is not what the log makes of it",
                                         row.campaign, what));
            }
        }
        if (page->size() < static_cast<std::size_t>(kPage)) break;
    }
    for (const auto& [id, campaign] : replay.model().campaigns()) {
        if (!campaign.seen_in_store) {
            fault(stock, fmt::format("campaign {} is on the log and not in the store", id));
        }
    }
    stock.figure = fmt::format("{} campaigns", rows);
    sold_out.figure = fmt::format("{} campaigns", replay.sold_out().size());
    return trimmed;
}

/// A query whose rows, (text, integers…), are all faults.
Result<void> none_of(Tables& tables, Check& check, std::string_view sql, std::string_view what,
                     std::span<const Value> values = {}) {
    const auto table = tables.query(sql, values);
    if (!table) return table.error();
    for (std::size_t row = 0; row < table->rows(); ++row) {
        std::string text(what);
        for (std::size_t column = 0; column < table->columns(); ++column) {
            const bool is_number = std::holds_alternative<std::int64_t>(table->value(row, column));
            text += is_number ? fmt::format(" {}", table->integer(row, column))
                              : " " + shown(table->text(row, column));
        }
        fault(check, std::move(text));
    }
    return {};
}

}  // namespace

Result<void> check_totals(const VerifyInput& input, Tables& tables, Replay& replay,
                          Report& report) {
    Check& explained = report.check("no grant without its record");
    GrantScan scan(tables, report);
    const auto trimmed = check_stock(tables, replay, scan, report);
    if (!trimmed) return trimmed.error();
    const auto totals = tables.numbers("SELECT COUNT(*) FROM sale_grant");
    if (!totals) return totals.error();
    const std::int64_t grants = (*totals)[0];
    explained.figure = fmt::format("{} grants", grants);
    explained.not_compared = static_cast<std::uint64_t>(*trimmed);
    if (grants - *trimmed != static_cast<std::int64_t>(replay.grants())) {
        fault(explained, fmt::format("{} rows of sale_grant, {} are explained by the log",
                                     grants - *trimmed, replay.grants()));
    }

    Check& ids = report.check("every granted id is granted once");
    ids.figure = fmt::format("{} grants", grants);
    if (!scan.ids_may_repeat()) return {};
    // After the horizon an id may be used again.
    const std::int64_t horizon = input.dedup_horizon.count() == 0
                                     ? std::numeric_limits<std::int64_t>::max()
                                     : input.dedup_horizon.count();
    const Value values[] = {horizon};
    return none_of(tables, ids,
                   "SELECT campaign, user_id, position FROM sale_grant WHERE id IN (SELECT id FROM "
                   "sale_grant GROUP BY id HAVING COUNT(*) > 1 AND MAX(granted_at) - "
                   "MIN(granted_at) < :horizon) LIMIT 100",
                   "its id is granted more than once: campaign, user, position", values);
}

}  // namespace penstock::verify
