#pragma once

#include "penstock/apps/sale/sale.h"

namespace penstock::sale {

/// Columns of sale_stock in the order in which campaign_row() reads them.
inline constexpr std::string_view kStockColumns =
    "campaign, quantity, per_user, opens_at, closes_at, closed, granted, created_at";

CampaignRow campaign_row(const Table& table, std::size_t row);

/// Prepares `sql` into `into`.
Result<void> prepare(Session& session, std::string_view sql, StatementId& into);

std::vector<Migration> sale_migrations(const Dialect& dialect);

}  // namespace penstock::sale
