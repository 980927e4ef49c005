#include "penstock/runtime/outcomes.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::string_view kFind =
    "SELECT id, body_hash, outcome, reason, reply, record_offset, decided_at "
    "FROM penstock_processed WHERE id = :id AND part = 0";
constexpr std::int64_t kDone = 1;
constexpr std::int64_t kRefused = 2;

/// Of a row of kFind.
Recorded recorded_in(const Table& table, std::size_t row) {
    Recorded recorded;
    recorded.body = to_hash128(table.blob(row, 1));
    if (table.integer(row, 2) == kDone) {
        recorded.outcome = Done{std::string(table.text(row, 4)), {}};
    } else {
        recorded.outcome =
            Refused{std::string(table.text(row, 3)), std::string(table.text(row, 4))};
    }
    recorded.offset = Offset(static_cast<std::uint64_t>(table.integer(row, 5)));
    recorded.decided_at = log_time(table.integer(row, 6));
    return recorded;
}

Value optional_bytes(const std::optional<Bytes>& bytes) {
    return bytes ? Value(*bytes) : Value(std::monostate{});
}

}  // namespace

Result<void> Outcomes::prepare(Session& session, const Dialect& dialect) {
    const auto prepare = [&](StatementId& into, std::string_view sql) -> Result<void> {
        auto prepared = session.prepare(sql);
        if (!prepared) return prepared.error();
        into = *prepared;
        return {};
    };
    PENSTOCK_TRY(prepare(seen_,
                         "SELECT id, body_hash FROM penstock_processed "
                         "WHERE id = :id AND part = 0"));
    PENSTOCK_TRY(prepare(find_, kFind));
    PENSTOCK_TRY(prepare(record_,
                         "INSERT INTO penstock_processed (id, part, body_hash, outcome, reason, "
                         "reply, topic, partition_no, record_offset, decided_at) VALUES (:id, 0, "
                         ":body_hash, :outcome, :reason, :reply, :topic, :partition_no, "
                         ":record_offset, :decided_at)"));
    PENSTOCK_TRY(prepare(dead_, dialect.insert_or_nothing(
                                    "penstock_dead_letter",
                                    "topic, partition_no, record_offset, id, type, record_key, "
                                    "record_value, cause, decided_at",
                                    "topic, partition_no, record_offset")));
    PENSTOCK_TRY(prepare(walk_,
                         "SELECT id, decided_at FROM penstock_processed WHERE id > :cursor "
                         "ORDER BY id LIMIT :chunk"));
    return prepare(forget_, "DELETE FROM penstock_processed WHERE id = :id");
}

Result<void> Outcomes::seen(Session& session, std::span<const Uuid> ids,
                            std::span<std::optional<Seen>> found) {
    if (ids.empty()) return {};
    values_.clear();
    for (const Uuid& id : ids) values_.emplace_back(as_bytes(id));
    const auto rows = session.run_many(seen_, values_);
    if (!rows) return rows.error();
    const Table& table = rows->table;
    std::size_t at = 0;
    for (std::size_t row = 0; row < table.rows(); ++row) {
        const Hash128 id = to_hash128(table.blob(row, 0));
        while (at < ids.size() && ids[at] < id) ++at;
        PENSTOCK_CHECK(at < ids.size() && ids[at] == id);
        found[at] = Seen{to_hash128(table.blob(row, 1))};
    }
    return {};
}

Result<std::optional<Recorded>> Outcomes::find(Session& session, const Uuid& id) {
    const Value values[] = {as_bytes(id)};
    const auto rows = run_one(session, find_, values);
    if (!rows) return rows.error();
    if (rows->table.rows() == 0) return std::optional<Recorded>{};
    return std::optional(recorded_in(rows->table, 0));
}

Result<void> Outcomes::record(Session& session, std::span<const OutcomeRow> rows) {
    if (rows.empty()) return {};
    values_.clear();
    for (const OutcomeRow& row : rows) {
        values_.emplace_back(as_bytes(row.id));
        values_.emplace_back(as_bytes(row.body));
        if (const auto* done = std::get_if<Done>(row.outcome)) {
            values_.emplace_back(kDone);
            values_.emplace_back(std::monostate{});
            values_.emplace_back(as_bytes(done->reply));
        } else {
            const auto& refused = std::get<Refused>(*row.outcome);
            values_.emplace_back(kRefused);
            values_.emplace_back(std::string_view(refused.reason));
            values_.emplace_back(as_bytes(refused.text));
        }
        values_.emplace_back(std::string_view(row.at->topic.value()));
        values_.emplace_back(std::int64_t{row.at->partition.value()});
        values_.emplace_back(static_cast<std::int64_t>(row.offset.value()));
        values_.emplace_back(unix_ms(row.decided_at));
    }
    const auto result = session.run_many(record_, values_);
    if (!result) return result.error();
    return {};
}

Result<void> Outcomes::record_dead(Session& session, const DeadRow& row) {
    const Value values[] = {std::string_view(row.at->topic.value()),
                            std::int64_t{row.at->partition.value()},
                            static_cast<std::int64_t>(row.offset.value()),
                            row.id ? Value(as_bytes(*row.id)) : Value(std::monostate{}),
                            row.type,
                            optional_bytes(row.key),
                            optional_bytes(row.value),
                            row.cause,
                            unix_ms(row.decided_at)};
    const auto result = run_one(session, dead_, values);
    if (!result) return result.error();
    return {};
}

Result<std::size_t> Outcomes::prune(Session& session, Uuid& cursor, LogTime before,
                                    std::size_t limit) {
    const Value values[] = {as_bytes(cursor), static_cast<std::int64_t>(limit)};
    const auto rows = run_one(session, walk_, values);
    if (!rows) return rows.error();
    const Table& table = rows->table;
    values_.clear();
    for (std::size_t row = 0; row < table.rows(); ++row) {
        if (log_time(table.integer(row, 1)) < before) values_.emplace_back(table.blob(row, 0));
    }
    const std::size_t forgotten = values_.size();
    if (forgotten != 0) {
        if (const auto result = session.run_many(forget_, values_); !result) return result.error();
    }
    cursor = table.rows() < limit ? Uuid{} : to_hash128(table.blob(table.rows() - 1, 0));
    return forgotten;
}

Result<std::vector<std::optional<Recorded>>> find_outcomes(Session& reader,
                                                           std::span<const Uuid> ids) {
    std::vector<std::optional<Recorded>> found(ids.size());
    if (ids.empty()) return found;
    const auto find = reader.prepare(kFind);
    if (!find) return find.error();
    std::vector<Value> values;
    values.reserve(ids.size());
    for (const Uuid& id : ids) values.emplace_back(as_bytes(id));
    const auto rows = reader.run_many(*find, values);
    if (!rows) return rows.error();
    std::size_t at = 0;
    for (std::size_t row = 0; row < rows->table.rows(); ++row) {
        const Hash128 id = to_hash128(rows->table.blob(row, 0));
        while (at < ids.size() && ids[at] < id) ++at;
        PENSTOCK_CHECK(at < ids.size() && ids[at] == id);
        found[at] = recorded_in(rows->table, row);
    }
    return found;
}

}  // namespace penstock
