#include "penstock/runtime/ownership.h"

#include <fmt/format.h>

#include "penstock/base/failpoint.h"

namespace penstock {
namespace {

constexpr std::string_view kColumns =
    "topic, part, epoch, seq, next_offset, fingerprint, log_uuid, turn_time";

std::int64_t integer(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

Owned owned_of(const Table& table, std::size_t row) {
    Owned owned;
    owned.at = {TopicId(std::string(table.text(row, 0))),
                PartitionId(static_cast<std::uint32_t>(table.integer(row, 1)))};
    owned.epoch = Epoch(static_cast<std::uint64_t>(table.integer(row, 2)));
    owned.seq = static_cast<std::uint64_t>(table.integer(row, 3));
    owned.next = Offset(static_cast<std::uint64_t>(table.integer(row, 4)));
    owned.fingerprint = static_cast<std::uint32_t>(table.integer(row, 5));
    owned.log_uuid = to_hash128(table.blob(row, 6));
    owned.turn_time = log_time(table.integer(row, 7));
    return owned;
}

Error fenced(const TopicPartition& at) {
    return error(Code::fenced, fmt::format("partition {} of topic {} has another owner now",
                                           at.partition.value(), at.topic.value()));
}

}  // namespace

std::string if_free(std::string_view column, const Owner& owner, const Dialect& dialect) {
    if (owner.alone) return "";
    return fmt::format(
        " AND ({0} IS NULL OR {0} = :member OR NOT EXISTS (SELECT 1 FROM penstock_member m "
        "WHERE m.member = penstock_owner.{0} AND m.lease_until > {1}))",
        column, dialect.now_ms());
}

std::vector<Value> owner_key(const Owner& owner, const TopicPartition& at) {
    return {std::string_view(owner.group), std::string_view(at.topic.value()),
            integer(at.partition.value())};
}

Result<void> Ownership::prepare(Session& session, const Dialect& dialect) {
    const auto prepare = [&](StatementId& into, std::string sql) -> Result<void> {
        auto prepared = session.prepare(sql);
        if (!prepared) return prepared.error();
        into = *prepared;
        return {};
    };
    constexpr std::string_view kRow = "grp = :grp AND topic = :topic AND part = :part";
    PENSTOCK_TRY(prepare(select_, fmt::format("SELECT {} FROM penstock_owner WHERE {}{}", kColumns,
                                              kRow, dialect.for_update())));
    PENSTOCK_TRY(prepare(
        insert_, dialect.insert_or_nothing(
                     "penstock_owner",
                     "grp, topic, part, epoch, seq, next_offset, fingerprint, log_uuid, turn_time, "
                     "gate_generation, gate_end",
                     "grp, topic, part")));
    PENSTOCK_TRY(prepare(take_, fmt::format("UPDATE penstock_owner SET epoch = epoch + 1, seq = 0, "
                                            "member = :member, session = :session WHERE {}{}",
                                            kRow, if_free("member", owner_, dialect))));
    PENSTOCK_TRY(prepare(give_up_, fmt::format("UPDATE penstock_owner SET member = NULL, session = "
                                               "NULL WHERE {} AND epoch = :epoch",
                                               kRow)));
    PENSTOCK_TRY(prepare(gate_cut_, fmt::format("SELECT gate_generation, gate_end FROM "
                                                "penstock_owner WHERE {}",
                                                kRow)));
    PENSTOCK_TRY(
        prepare(session_of_, fmt::format("SELECT session FROM penstock_owner WHERE {}", kRow)));
    return prepare(fence_, fmt::format("UPDATE penstock_owner SET seq = seq + 1, "
                                       "next_offset = :next, fingerprint = :fingerprint, "
                                       "turn_time = :turn_time "
                                       "WHERE {} AND epoch = :epoch AND seq = :seq",
                                       kRow));
}

Result<Rows> Ownership::read_locked(Session& session, const TopicPartition& at) {
    return run_one(session, select_, key_of(at));
}

Result<void> Ownership::make(Session& session, const TopicPartition& at, const Uuid& log_uuid) {
    std::vector<Value> row = key_of(at);
    row.insert(row.end(), {std::int64_t{0}, std::int64_t{0}, std::int64_t{0}, std::int64_t{0},
                           as_bytes(log_uuid), std::int64_t{0}, std::int64_t{0}, std::int64_t{0}});
    const auto inserted = run_one(session, insert_, row);
    if (!inserted) return inserted.error();
    return {};
}

Result<Owned> Ownership::take(Session& session, const TopicPartition& at, bool* fresh) {
    PENSTOCK_TRY(session.begin());
    const auto body = [&]() -> Result<Owned> {
        const std::string server_id = session.server_id();
        std::vector<Value> taking = {
            as_bytes(owner_.member),
            server_id.empty() ? Value(std::monostate{}) : Value(std::string_view(server_id))};
        const std::vector<Value> key = key_of(at);
        taking.insert(taking.end(), key.begin(), key.end());
        const auto taken = run_one(session, take_, taking);
        if (!taken) return taken.error();
        if (taken->matched != 1) {
            return error(Code::in_use, fmt::format("partition {} of topic {} is owned by another "
                                                   "process",
                                                   at.partition.value(), at.topic.value()));
        }
        const auto rows = read_locked(session, at);
        if (!rows) return rows.error();
        if (rows->table.rows() != 1) return fenced(at);
        Owned owned = owned_of(rows->table, 0);
        if (fresh != nullptr) *fresh = owned.epoch == Epoch(1);
        return owned;
    };
    auto owned = body();
    if (!owned) {
        session.rollback();
        return owned;
    }
    PENSTOCK_TRY(session.commit());
    return owned;
}

Result<void> Ownership::give_up(Session& session, const Owned& owned) {
    PENSTOCK_TRY(session.begin());
    std::vector<Value> values = key_of(owned.at);
    values.emplace_back(integer(owned.epoch.value()));
    if (const auto given = run_one(session, give_up_, values); !given) {
        session.rollback();
        return given.error();
    }
    return session.commit();
}

Result<GateCut> Ownership::gate_cut(Session& session, const TopicPartition& at) {
    const auto rows = run_one(session, gate_cut_, key_of(at));
    if (!rows) return rows.error();
    if (rows->table.rows() != 1) return fenced(at);
    return GateCut{GateGeneration(static_cast<std::uint64_t>(rows->table.integer(0, 0))),
                   Offset(static_cast<std::uint64_t>(rows->table.integer(0, 1)))};
}

Result<void> Ownership::fence(Session& session, const Owned& owned, const Advance& advance) {
    const Value values[] = {integer(advance.next.value()),
                            std::int64_t{advance.fingerprint},
                            unix_ms(advance.turn_time),
                            std::string_view(owner_.group),
                            std::string_view(owned.at.topic.value()),
                            integer(owned.at.partition.value()),
                            integer(owned.epoch.value()),
                            integer(owned.seq)};
    const auto rows = run_one(session, fence_, values);
    if (!rows) return rows.error();
#if PENSTOCK_FAILPOINTS
    if (failpoint("fence.off")) return {};
#endif
    if (rows->matched != 1) return fenced(owned.at);
    return {};
}

void Ownership::keep(Owned& owned, const Advance& advance) {
    ++owned.seq;
    owned.next = advance.next;
    owned.fingerprint = advance.fingerprint;
    owned.turn_time = advance.turn_time;
}

Result<bool> Ownership::was_committed(Session& session, const Owned& owned) {
#if PENSTOCK_FAILPOINTS
    if (failpoint("readback.off")) return true;
#endif
    const auto rows = read_in_transaction(session, [&] { return read_locked(session, owned.at); });
    if (!rows) return rows.error();
    if (rows->table.rows() != 1) return fenced(owned.at);
    const Owned now = owned_of(rows->table, 0);
    if (now.epoch != owned.epoch) return fenced(owned.at);
    if (now.seq == owned.seq + 1) return true;
    if (now.seq == owned.seq) return false;
    return fenced(owned.at);
}

Result<bool> Ownership::still_owns(Session& session, const Owned& owned) {
    const auto rows = read_in_transaction(session, [&] { return read_locked(session, owned.at); });
    if (!rows) return rows.error();
    return rows->table.rows() == 1 && owned_of(rows->table, 0).epoch == owned.epoch;
}

Result<std::string> Ownership::session_of(Session& session, const TopicPartition& at) {
    const auto rows =
        read_in_transaction(session, [&] { return run_one(session, session_of_, key_of(at)); });
    if (!rows) return rows.error();
    return rows->table.rows() == 0 ? "" : std::string(rows->table.text(0, 0));
}

Result<std::map<TopicPartition, Owned>> read_owned(Store& store, const std::string& group) {
    auto session = store.open(Role::reader, SessionLimits{});
    if (!session) return std::move(session).error();
    Session& reader = **session;
    const auto select =
        reader.prepare(fmt::format("SELECT {} FROM penstock_owner WHERE grp = :grp", kColumns));
    if (!select) return select.error();
    const Value values[] = {std::string_view(group)};
    const auto rows = read_in_transaction(reader, [&] { return run_one(reader, *select, values); });
    if (!rows) return rows.error();
    std::map<TopicPartition, Owned> all;
    for (std::size_t i = 0; i < rows->table.rows(); ++i) {
        Owned owned = owned_of(rows->table, i);
        all.emplace(owned.at, owned);
    }
    return all;
}

}  // namespace penstock
