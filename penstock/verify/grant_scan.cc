#include "penstock/verify/grant_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace penstock::verify {
namespace {

constexpr std::int64_t kPage = 10'000;
constexpr std::int64_t kMostUnits = 2'147'483'647;

}  // namespace

/// Of one campaign.
struct GrantScan::Sums {
    std::string user_id;
    std::int64_t slot = -1;  ///< of the last row read
    std::int64_t of_user = 0, of_all = 0;
    std::vector<bool> taken;  ///< by position - 1
};

GrantScan::GrantScan(Tables& tables, Report& report)
    : tables_(tables),
      sums_(report.check("granted units are the sum of the grants")),
      gaps_(report.check("positions 1..N without a gap")),
      limits_(report.check("no user over the limit")) {}

Result<void> GrantScan::take(const StockRow& campaign) {
    Sums sums;
    for (;;) {
        const Value values[] = {std::string_view(campaign.campaign), std::string_view(sums.user_id),
                                sums.slot, kPage};
        const auto table = tables_.query(
            "SELECT user_id, slot, position, quantity, id FROM sale_grant "
            "WHERE campaign = :campaign AND user_id >= :user_id AND "
            "(user_id, slot) > (:user_id, :slot) ORDER BY user_id, slot LIMIT :page",
            values);
        if (!table) return table.error();
        for (std::size_t row = 0; row < table->rows(); ++row) add(campaign, *table, row, sums);
        if (table->rows() < static_cast<std::size_t>(kPage)) break;
    }
    end_user(campaign, sums);
    units_ += static_cast<std::uint64_t>(sums.of_all);
    if (sums.of_all != campaign.granted) {
        fault(sums_, fmt::format("campaign {}: {} granted, its grants have {}", campaign.campaign,
                                 campaign.granted, sums.of_all));
    }
    const auto gap = std::find(sums.taken.begin(), sums.taken.end(), false);
    if (gap != sums.taken.end()) {
        fault(gaps_, fmt::format("campaign {}: nobody has position {}", campaign.campaign,
                                 gap - sums.taken.begin() + 1));
    }
    sums_.figure = fmt::format("{} units", units_);
    gaps_.figure = limits_.figure = fmt::format("{} grants", grants_);
    return {};
}

void GrantScan::add(const StockRow& campaign, const Table& table, std::size_t row, Sums& sums) {
    const std::string_view user_id = table.text(row, 0);
    if (user_id != sums.user_id) {
        end_user(campaign, sums);
        sums.user_id = user_id;
        sums.of_user = 0;
    }
    sums.slot = table.integer(row, 1);
    const std::int64_t first = table.integer(row, 2);
    const std::int64_t quantity = table.integer(row, 3);
    ++grants_;
    sums.of_user += quantity;
    sums.of_all += quantity;
    const Hash128 hash = hash128(table.blob(row, 4));
    std::memcpy(&ids_.emplace_back(), hash.bytes.data(), sizeof(std::uint64_t));
    const std::int64_t last = first + std::min(quantity, kMostUnits) - 1;
    if (first < 1 || last < first || last > kMostUnits) {
        fault(gaps_, fmt::format("campaign {}: position {} with {} units cannot be",
                                 campaign.campaign, first, quantity));
        return;
    }
    if (sums.taken.size() < static_cast<std::size_t>(last)) {
        sums.taken.resize(static_cast<std::size_t>(last));
    }
    for (std::int64_t at = first; at <= last; ++at) {
        if (sums.taken[static_cast<std::size_t>(at - 1)]) {
            fault(gaps_,
                  fmt::format("campaign {}: position {} is granted twice", campaign.campaign, at));
            break;
        }
        sums.taken[static_cast<std::size_t>(at - 1)] = true;
    }
}

void GrantScan::end_user(const StockRow& campaign, const Sums& sums) {
    if (!campaign.per_user || sums.of_user <= *campaign.per_user) return;
    fault(limits_, fmt::format("campaign {}: user {} has {} of {}", campaign.campaign,
                               shown(sums.user_id), sums.of_user, *campaign.per_user));
}

bool GrantScan::ids_may_repeat() {
    std::sort(ids_.begin(), ids_.end());
    return std::adjacent_find(ids_.begin(), ids_.end()) != ids_.end();
}

}  // namespace penstock::verify
