#include "penstock/runtime/ownership.h"

#include <fmt/format.h>

#include <cstring>

#include "penstock/runtime/schema.h"

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
    const Bytes uuid = table.blob(row, 6);
    if (uuid.size() == owned.log_uuid.bytes.size()) {
        std::memcpy(owned.log_uuid.bytes.data(), uuid.data(), uuid.size());
    }
    owned.turn_time = log_time(table.integer(row, 7));
    return owned;
}

Bytes bytes_of(const Uuid& uuid) {
    return std::as_bytes(std::span(uuid.bytes));
}

Error fenced(const TopicPartition& at) {
    return error(Code::fenced, fmt::format("partition {} of topic {} has another owner now",
                                           at.partition.value(), at.topic.value()));
}

}  // namespace

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
                     "grp, topic, part, epoch, seq, next_offset, fingerprint, log_uuid, turn_time",
                     "grp, topic, part")));
    PENSTOCK_TRY(prepare(take_, fmt::format("UPDATE penstock_owner SET epoch = epoch + 1, seq = 0 "
                                            "WHERE {}",
                                            kRow)));
    return prepare(fence_, fmt::format("UPDATE penstock_owner SET seq = seq + 1, "
                                       "next_offset = :next, fingerprint = :fingerprint, "
                                       "turn_time = :turn_time "
                                       "WHERE {} AND epoch = :epoch AND seq = :seq",
                                       kRow));
}

Result<Rows> Ownership::read_locked(Session& session, const TopicPartition& at) {
    const Value key[] = {std::string_view(group_), std::string_view(at.topic.value()),
                         integer(at.partition.value())};
    return run_one(session, select_, key);
}

Result<Owned> Ownership::take(Session& session, const TopicPartition& at, const Uuid& log_uuid,
                              bool* fresh) {
    PENSTOCK_TRY(session.begin());
    const auto body = [&]() -> Result<Owned> {
        const std::string_view topic = at.topic.value();
        const Value row[] = {std::string_view(group_),
                             topic,
                             integer(at.partition.value()),
                             std::int64_t{0},
                             std::int64_t{0},
                             std::int64_t{0},
                             std::int64_t{0},
                             bytes_of(log_uuid),
                             std::int64_t{0}};
        const auto inserted = run_one(session, insert_, row);
        if (!inserted) return inserted.error();
        if (fresh != nullptr) *fresh = inserted->matched == 1;
        const Value key[] = {std::string_view(group_), topic, integer(at.partition.value())};
        if (const auto taken = run_one(session, take_, key); !taken) return taken.error();
        const auto rows = read_locked(session, at);
        if (!rows) return rows.error();
        if (rows->table.rows() != 1) return fenced(at);
        return owned_of(rows->table, 0);
    };
    auto owned = body();
    if (!owned) {
        session.rollback();
        return owned;
    }
    PENSTOCK_TRY(session.commit());
    return owned;
}

Result<void> Ownership::fence(Session& session, const Owned& owned, const Advance& advance) {
    const Value values[] = {integer(advance.next.value()),
                            std::int64_t{advance.fingerprint},
                            unix_ms(advance.turn_time),
                            std::string_view(group_),
                            std::string_view(owned.at.topic.value()),
                            integer(owned.at.partition.value()),
                            integer(owned.epoch.value()),
                            integer(owned.seq)};
    const auto rows = run_one(session, fence_, values);
    if (!rows) return rows.error();
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
    PENSTOCK_TRY(session.begin());
    const auto rows = read_locked(session, owned.at);
    session.rollback();
    if (!rows) return rows.error();
    if (rows->table.rows() != 1) return fenced(owned.at);
    const Owned now = owned_of(rows->table, 0);
    if (now.epoch != owned.epoch) return fenced(owned.at);
    if (now.seq == owned.seq + 1) return true;
    if (now.seq == owned.seq) return false;
    return fenced(owned.at);
}

Result<std::map<TopicPartition, Owned>> read_owned(Store& store, const std::string& group) {
    PENSTOCK_TRY(store.prepare_schema(runtime_migrations(store.dialect())));
    auto session = store.open(Role::reader, SessionLimits{});
    if (!session) return std::move(session).error();
    Session& reader = **session;
    const auto select =
        reader.prepare(fmt::format("SELECT {} FROM penstock_owner WHERE grp = :grp", kColumns));
    if (!select) return select.error();
    PENSTOCK_TRY(reader.begin());
    const Value values[] = {std::string_view(group)};
    const auto rows = run_one(reader, *select, values);
    reader.rollback();
    if (!rows) return rows.error();
    std::map<TopicPartition, Owned> all;
    for (std::size_t i = 0; i < rows->table.rows(); ++i) {
        Owned owned = owned_of(rows->table, i);
        all.emplace(owned.at, owned);
    }
    return all;
}

}  // namespace penstock
