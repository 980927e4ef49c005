#include "penstock/verify/tables.h"

#include <cstring>

namespace penstock::verify {
namespace {

constexpr std::string_view kStockColumns =
    "campaign, quantity, per_user, opens_at, closes_at, closed, granted, created_at, "
    "created_offset";

Hash128 sixteen_bytes(std::string_view bytes) {
    Hash128 all;
    std::memcpy(all.bytes.data(), bytes.data(), std::min(bytes.size(), all.bytes.size()));
    return all;
}

Value bytes_of(const Hash128& hash) {
    return std::as_bytes(std::span(hash.bytes));
}

std::optional<std::string> text_or_null(const Table& table, std::size_t row, std::size_t column) {
    if (table.is_null(row, column)) return std::nullopt;
    return std::string(table.text(row, column));
}

std::optional<std::int64_t> integer_or_null(const Table& table, std::size_t row,
                                            std::size_t column) {
    if (table.is_null(row, column)) return std::nullopt;
    return table.integer(row, column);
}

StockRow stock_row(const Table& table, std::size_t row) {
    StockRow stock;
    stock.campaign = table.text(row, 0);
    stock.quantity = table.integer(row, 1);
    stock.per_user = integer_or_null(table, row, 2);
    stock.opens_at_ms = integer_or_null(table, row, 3);
    stock.closes_at_ms = integer_or_null(table, row, 4);
    stock.closed = table.integer(row, 5) != 0;
    stock.granted = table.integer(row, 6);
    stock.created_at_ms = table.integer(row, 7);
    stock.created_offset = table.integer(row, 8);
    return stock;
}

}  // namespace

Result<Table> Tables::query(std::string_view sql, std::span<const Value> values) {
    const auto statement = session_.prepare(sql);
    if (!statement) return statement.error();
    auto rows = run_one(session_, *statement, values);
    if (!rows) return std::move(rows).error();
    return std::move(rows->table);
}

Result<Table> Tables::query_many(std::string_view sql, std::span<const Value> values) {
    if (values.empty()) return Table{};
    const auto statement = session_.prepare(sql);
    if (!statement) return statement.error();
    auto rows = session_.run_many(*statement, values);
    if (!rows) return std::move(rows).error();
    return std::move(rows->table);
}

Result<std::vector<std::int64_t>> Tables::numbers(std::string_view sql,
                                                  std::span<const Value> values) {
    const auto table = query(sql, values);
    if (!table) return table.error();
    std::vector<std::int64_t> row;
    for (std::size_t i = 0; table->rows() != 0 && i < table->columns(); ++i) {
        row.push_back(table->integer(0, i));
    }
    return row;
}

Result<std::vector<OwnerRow>> Tables::owners(const std::string& group) {
    const Value values[] = {std::string_view(group)};
    const auto table = query(
        "SELECT topic, part, next_offset, fingerprint, log_uuid, turn_time FROM penstock_owner "
        "WHERE grp = :grp ORDER BY topic, part",
        values);
    if (!table) return table.error();
    std::vector<OwnerRow> owners;
    for (std::size_t row = 0; row < table->rows(); ++row) {
        owners.push_back({std::string(table->text(row, 0)),
                          static_cast<std::uint32_t>(table->integer(row, 1)),
                          static_cast<std::uint64_t>(table->integer(row, 2)),
                          table->integer(row, 3),
                          std::string(table->text(row, 4)),
                          table->integer(row, 5),
                          {}});
    }
    const auto cuts = query(
        "SELECT topic, part, generation, gate_end FROM penstock_gate_cut WHERE grp = :grp", values);
    if (!cuts) return cuts.error();
    for (std::size_t row = 0; row < cuts->rows(); ++row) {
        for (OwnerRow& owner : owners) {
            if (owner.topic != cuts->text(row, 0)) continue;
            if (owner.partition != static_cast<std::uint32_t>(cuts->integer(row, 1))) continue;
            owner.gate_cuts.emplace_back(cuts->integer(row, 2), cuts->integer(row, 3));
        }
    }
    return owners;
}

Result<std::vector<OutcomeRow>> Tables::outcomes(std::span<const Uuid> ids) {
    values_.clear();
    for (const Uuid& id : ids) values_.push_back(bytes_of(id));
    const auto table = query_many(
        "SELECT id, body_hash, outcome, reason, reply, topic, partition_no, record_offset, "
        "decided_at FROM penstock_processed WHERE id = :id AND part = 0",
        values_);
    if (!table) return table.error();
    std::vector<OutcomeRow> rows;
    rows.reserve(table->rows());
    for (std::size_t row = 0; row < table->rows(); ++row) {
        OutcomeRow& read = rows.emplace_back();
        read.id = sixteen_bytes(table->text(row, 0));
        read.body = sixteen_bytes(table->text(row, 1));
        read.outcome = table->integer(row, 2);
        read.reason = table->text(row, 3);
        read.reply = table->text(row, 4);
        read.topic = table->text(row, 5);
        read.partition = table->integer(row, 6);
        read.offset = table->integer(row, 7);
        read.decided_at_ms = table->integer(row, 8);
    }
    return rows;
}

Result<std::vector<GrantRow>> Tables::grants(std::span<const GrantKey> keys) {
    values_.clear();
    for (const GrantKey& key : keys) {
        values_.insert(values_.end(),
                       {Value(key.campaign), Value(key.user_id), Value(key.position)});
    }
    const auto table = query_many(
        "SELECT campaign, user_id, position, quantity, id, id_text, record_offset, granted_at, "
        "slot FROM sale_grant WHERE campaign = :campaign AND user_id = :user_id AND position = "
        ":position",
        values_);
    if (!table) return table.error();
    std::vector<GrantRow> rows;
    rows.reserve(table->rows());
    for (std::size_t row = 0; row < table->rows(); ++row) {
        GrantRow& read = rows.emplace_back();
        read.campaign = table->text(row, 0);
        read.user_id = table->text(row, 1);
        read.position = table->integer(row, 2);
        read.quantity = table->integer(row, 3);
        read.id = table->text(row, 4);
        read.id_text = text_or_null(*table, row, 5);
        read.offset = table->integer(row, 6);
        read.granted_at_ms = table->integer(row, 7);
        read.slot = table->integer(row, 8);
    }
    return rows;
}

Result<std::vector<Held>> Tables::held(std::span<const HeldKey> users, std::uint64_t before) {
    values_.clear();
    for (const HeldKey& user : users) {
        values_.insert(values_.end(), {Value(user.campaign), Value(user.user_id),
                                       Value(static_cast<std::int64_t>(before))});
    }
    const auto table = query_many(
        "SELECT campaign, user_id, SUM(quantity) FROM sale_grant WHERE campaign = :campaign AND "
        "user_id = :user_id AND record_offset < :before GROUP BY campaign, user_id",
        values_);
    if (!table) return table.error();
    std::vector<Held> rows;
    for (std::size_t row = 0; row < table->rows(); ++row) {
        rows.push_back({std::string(table->text(row, 0)), std::string(table->text(row, 1)),
                        table->integer(row, 2)});
    }
    return rows;
}

Result<std::optional<DeadRow>> Tables::dead(const std::string& topic, std::uint32_t partition,
                                            std::uint64_t offset) {
    const Value values[] = {std::string_view(topic), std::int64_t{partition},
                            static_cast<std::int64_t>(offset)};
    const auto table = query(
        "SELECT id, record_key, record_value, cause FROM penstock_dead_letter WHERE topic = "
        ":topic AND partition_no = :partition_no AND record_offset = :record_offset",
        values);
    if (!table) return table.error();
    if (table->rows() == 0) return std::optional<DeadRow>{};
    return std::optional<DeadRow>(DeadRow{text_or_null(*table, 0, 0), text_or_null(*table, 0, 1),
                                          text_or_null(*table, 0, 2),
                                          std::string(table->text(0, 3))});
}

Result<std::vector<StockRow>> Tables::stock(std::string_view after, std::int64_t limit) {
    const Value values[] = {after, limit};
    const auto table = query("SELECT " + std::string(kStockColumns) +
                                 " FROM sale_stock WHERE campaign > :after ORDER BY campaign "
                                 "LIMIT :page",
                             values);
    if (!table) return table.error();
    std::vector<StockRow> rows;
    for (std::size_t row = 0; row < table->rows(); ++row) rows.push_back(stock_row(*table, row));
    return rows;
}

Result<std::optional<StockRow>> Tables::stock_of(std::string_view campaign) {
    const Value values[] = {campaign};
    const auto table = query(
        "SELECT " + std::string(kStockColumns) + " FROM sale_stock WHERE campaign = :campaign",
        values);
    if (!table) return table.error();
    if (table->rows() == 0) return std::optional<StockRow>{};
    return std::optional<StockRow>(stock_row(*table, 0));
}

}  // namespace penstock::verify
