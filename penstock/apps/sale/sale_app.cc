#include <fmt/format.h>

#include "penstock/apps/sale/campaign_handlers.h"
#include "penstock/apps/sale/claim_handler.h"
#include "penstock/apps/sale/sale_gate.h"
#include "penstock/apps/sale/stock.h"

namespace penstock::sale {
namespace {

class Sale final : public App {
public:
    std::vector<Migration> migrations(const Dialect& dialect) const override {
        return sale_migrations(dialect);
    }
    std::vector<Route> routes() override {
        const std::string topic(kTopic);
        return {{std::string(kCreate), topic, &create_, &gate_},
                {std::string(kClose), topic, &close_, &gate_},
                {std::string(kClaim), topic, &claim_, &gate_}};
    }
    std::string default_type(std::string_view) const override { return {}; }

private:
    CreateHandler create_;
    CloseHandler close_;
    ClaimHandler claim_;
    SaleGate gate_;
};

GrantRow grant_row(const Table& table, std::size_t row) {
    GrantRow grant;
    grant.position = static_cast<std::uint64_t>(table.integer(row, 0));
    grant.user_id = table.text(row, 1);
    grant.quantity = static_cast<std::uint32_t>(table.integer(row, 2));
    if (table.is_null(row, 4)) {
        grant.claim_id = format_uuid(to_hash128(table.blob(row, 3)));
    } else {
        grant.claim_id = table.text(row, 4);
    }
    grant.offset = static_cast<std::uint64_t>(table.integer(row, 5));
    grant.granted_at = log_time(table.integer(row, 6));
    return grant;
}

}  // namespace

Result<std::vector<CampaignRow>> read_campaigns(Session& reader, std::string_view only) {
    StatementId read{};
    PENSTOCK_TRY(prepare(reader,
                         fmt::format("SELECT {} FROM sale_stock{} ORDER BY campaign", kStockColumns,
                                     only.empty() ? "" : " WHERE campaign = :campaign"),
                         read));
    const Value campaign[] = {only};
    const auto rows = run_one(
        reader, read, only.empty() ? std::span<const Value>() : std::span<const Value>(campaign));
    if (!rows) return rows.error();
    std::vector<CampaignRow> all;
    for (std::size_t row = 0; row < rows->table.rows(); ++row) {
        all.push_back(campaign_row(rows->table, row));
    }
    return all;
}

Result<std::vector<GrantRow>> read_grants(Session& reader, std::string_view campaign,
                                          std::string_view user_id, std::uint64_t after_position,
                                          std::size_t limit) {
    StatementId read{};
    PENSTOCK_TRY(prepare(
        reader,
        fmt::format("SELECT position, user_id, quantity, id, id_text, record_offset, granted_at "
                    "FROM sale_grant WHERE campaign = :campaign AND position > :after{} "
                    "ORDER BY position LIMIT :page",
                    user_id.empty() ? "" : " AND user_id = :user_id"),
        read));
    std::vector<Value> values = {campaign, static_cast<std::int64_t>(after_position)};
    if (!user_id.empty()) values.emplace_back(user_id);
    values.emplace_back(static_cast<std::int64_t>(limit));
    const auto rows = run_one(reader, read, values);
    if (!rows) return rows.error();
    std::vector<GrantRow> grants;
    grants.reserve(rows->table.rows());
    for (std::size_t row = 0; row < rows->table.rows(); ++row) {
        grants.push_back(grant_row(rows->table, row));
    }
    return grants;
}

std::unique_ptr<App> make_sale() {
    return std::make_unique<Sale>();
}

}  // namespace penstock::sale
