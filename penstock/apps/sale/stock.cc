#include "penstock/apps/sale/stock.h"

#include <fmt/format.h>

namespace penstock::sale {
namespace {

std::optional<LogTime> time_at(const Table& table, std::size_t row, std::size_t column) {
    if (table.is_null(row, column)) return std::nullopt;
    return log_time(table.integer(row, column));
}

}  // namespace

CampaignRow campaign_row(const Table& table, std::size_t row) {
    CampaignRow found;
    found.id = table.text(row, 0);
    found.campaign.quantity = static_cast<std::uint32_t>(table.integer(row, 1));
    if (!table.is_null(row, 2)) {
        found.campaign.per_user = static_cast<std::uint32_t>(table.integer(row, 2));
    }
    found.campaign.opens_at = time_at(table, row, 3);
    found.campaign.closes_at = time_at(table, row, 4);
    found.closed = table.integer(row, 5) != 0;
    found.granted = static_cast<std::uint64_t>(table.integer(row, 6));
    found.created_at = log_time(table.integer(row, 7));
    return found;
}

Result<void> prepare(Session& session, std::string_view sql, StatementId& into) {
    const auto prepared = session.prepare(sql);
    if (!prepared) return prepared.error();
    into = *prepared;
    return {};
}

std::vector<Migration> sale_migrations(const Dialect& dialect) {
    const auto text_arguments = [&](std::string_view format) {
        return fmt::format(
            fmt::runtime(format), fmt::arg("id", dialect.type("id16")),
            fmt::arg("int", dialect.type("int")), fmt::arg("text", dialect.type("text")),
            fmt::arg("key", dialect.type("key")), fmt::arg("clustered", dialect.clustered()));
    };
    return {{"sale",
             1,
             {
                 // Times are milliseconds since the Unix epoch. The CHECK stands below all code.
                 text_arguments("CREATE TABLE sale_stock ("
                                "campaign {key} NOT NULL, quantity {int} NOT NULL, "
                                "per_user {int}, opens_at {int}, closes_at {int}, "
                                "closed {int} NOT NULL, granted {int} NOT NULL, "
                                "version {int} NOT NULL, created_at {int} NOT NULL, "
                                "created_offset {int} NOT NULL, PRIMARY KEY (campaign), "
                                "CHECK (granted >= 0 AND granted <= quantity)){clustered}"),
                 // slot: 0 where a user may have one only, so that the key keeps to it below all
                 // code; otherwise the position. id_text: the claim's id as its caller wrote it,
                 // where the 16 bytes do not tell.
                 text_arguments(
                     "CREATE TABLE sale_grant ("
                     "campaign {key} NOT NULL, user_id {key} NOT NULL, "
                     "slot {int} NOT NULL, position {int} NOT NULL, quantity {int} NOT NULL, "
                     "id {id} NOT NULL, id_text {text}, "
                     "record_offset {int} NOT NULL, granted_at {int} NOT NULL, "
                     "PRIMARY KEY (campaign, user_id, slot), "
                     "CHECK (quantity > 0)){clustered}"),
                 // No position twice, and the granted ones by position without sorting them all.
                 "CREATE UNIQUE INDEX sale_grant_position ON sale_grant (campaign, position)",
             }}};
}

}  // namespace penstock::sale
