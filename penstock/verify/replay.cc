#include "penstock/verify/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace penstock::verify {
namespace {

constexpr ReadLimits kRead{1000, 4 * 1024 * 1024};

std::string place(const TopicPartition& at, std::uint64_t offset) {
    return fmt::format("{}/{} offset {}", at.topic.value(), at.partition.value(), offset);
}

std::string_view sixteen(const Hash128& hash) {
    return as_text(std::as_bytes(std::span(hash.bytes)));
}

std::int64_t ms_of(std::chrono::milliseconds span) {
    return span.count();
}

Error not_there(const OwnerRow& owner) {
    return error(Code::damaged,
                 fmt::format("the store has applied {} records of topic {} partition {}, and the "
                             "log has no such partition: restore the log that belongs to it",
                             owner.next_offset, owner.topic, owner.partition));
}

}  // namespace

Replay::Replay(const VerifyInput& input, Tables& tables, Report& report)
    : input_(input),
      tables_(tables),
      log_(report.check("every record up to the store's place is there")),
      owners_(report.check("log and store belong to each other")),
      once_(report.check("every id on the log has exactly one outcome")),
      outcomes_(report.check("outcomes and replies are those of the model")),
      unexplained_(report.check("no outcome without its record")),
      dead_(report.check("dead letters are the undecodable records and the failed commands")),
      grant_rows_(report.check("grants are those of the model")) {}

Result<void> Replay::run() {
    const auto owners = tables_.owners(input_.group);
    if (!owners) return owners.error();
    for (const OwnerRow& owner : *owners) {
        Partition partition{owner, {TopicId(owner.topic), PartitionId(owner.partition)}};
        PENSTOCK_TRY(replay(partition));
    }
    const auto all = tables_.numbers("SELECT COUNT(*) FROM penstock_processed");
    if (!all) return all.error();
    const auto outcomes = static_cast<std::uint64_t>((*all)[0]);
    if (outcomes != explained_) {
        fault(unexplained_,
              fmt::format("{} rows of penstock_processed, {} are explained by the log", outcomes,
                          explained_));
    }
    const auto dead = tables_.numbers("SELECT COUNT(*) FROM penstock_dead_letter");
    if (!dead) return dead.error();
    if (static_cast<std::uint64_t>((*dead)[0]) != dead_letters_) {
        fault(dead_, fmt::format("{} rows of penstock_dead_letter, {} are explained by the log",
                                 (*dead)[0], dead_letters_));
    }
    log_.figure = fmt::format("{} records of {} partitions", records_, owners->size());
    owners_.figure = fmt::format("{} partitions", owners->size());
    once_.figure = fmt::format("{} ids, {} repeats, {} admitted before a rebuild of the gate",
                               compared_, duplicates_, stale_);
    outcomes_.figure = fmt::format("{} outcomes", compared_);
    unexplained_.figure = fmt::format("{} rows", outcomes);
    grant_rows_.figure = fmt::format("{} grants", grants_);
    dead_.figure = fmt::format("{} dead letters", dead_letters_);
    return {};
}

Result<void> Replay::replay(Partition& partition) {
    const auto described = input_.log.describe(partition.at.topic);
    if (!described && described.error().code == Code::not_found) return not_there(partition.owner);
    if (!described) return described.error();
    const PartitionInfo* info = nullptr;
    for (const PartitionInfo& one : described->front().partitions) {
        if (one.partition == partition.at.partition) info = &one;
    }
    if (info == nullptr) return not_there(partition.owner);
    if (info->stopped) return *info->stopped;
    PENSTOCK_TRY(check_owner(partition, *info));
    std::uint64_t next = partition.start;
    while (next < partition.applied) {
        ReadLimits limits = kRead;
        limits.max_records = static_cast<std::size_t>(
            std::min<std::uint64_t>(kRead.max_records, partition.applied - next));
        const auto read = input_.log.read(partition.at, Offset(next), limits);
        if (!read) return read.error();
        auto records = (*read)->records();
        while (!records.empty() && records.back().offset.value() >= partition.applied) {
            records = records.first(records.size() - 1);
        }
        if (records.empty()) break;
        PENSTOCK_TRY(take(partition, records));
        next = records.back().offset.value() + 1;
    }
    PENSTOCK_TRY(count_rows(partition));
    return read_line(partition);
}

Result<void> Replay::check_owner(Partition& partition, const PartitionInfo& info) {
    const OwnerRow& owner = partition.owner;
    partition.start = info.start.value();
    partition.end = info.end.value();
    partition.applied = std::min(owner.next_offset, partition.end);
    trimmed_below_ = std::max(trimmed_below_, partition.start);
    log_.not_compared += partition.start;
    if (owner.next_offset > partition.end) {
        fault(log_, fmt::format("the store has applied {} and the log ends at offset {}",
                                place(partition.at, owner.next_offset - 1), partition.end));
    }
    if (owner.next_offset < partition.start) {
        fault(log_, fmt::format("the log begins at {}, and the store is at {}",
                                place(partition.at, partition.start), owner.next_offset));
    }
    if (owner.log_uuid != sixteen(info.uuid)) {
        fault(owners_, fmt::format("{}/{} of the store is another history than the log's",
                                   owner.topic, owner.partition));
    }
    if (partition.applied != owner.next_offset || partition.applied <= partition.start) return {};
    const auto last =
        input_.log.read(partition.at, Offset(partition.applied - 1), ReadLimits{1, 1});
    if (!last) return last.error();
    if ((*last)->records().empty() ||
        static_cast<std::int64_t>(fingerprint((*last)->records().front())) != owner.fingerprint) {
        fault(owners_, fmt::format("{} is not the record that the store has applied",
                                   place(partition.at, partition.applied - 1)));
    }
    return {};
}

Result<void> Replay::take(Partition& partition, std::span<const Logged> records) {
    Batch batch;
    PENSTOCK_TRY(look_up(partition, records, batch));
    for (std::size_t i = 0; i < records.size(); ++i) {
        PENSTOCK_TRY(judge(partition, records[i], i, batch));
    }
    records_ += records.size();
    return compare_grants(batch);
}

Result<void> Replay::look_up(Partition& partition, std::span<const Logged> records, Batch& batch) {
    std::vector<Uuid> ids;
    for (const Logged& record : records) {
        const Entry& entry = batch.entries.emplace_back(read_entry(record));
        auto& claim = batch.claims.emplace_back();
        if (!entry.decodable) continue;
        ids.push_back(*entry.id);
        if (entry.type == "sale.claim") claim = read_claim_body(entry.data);
        PENSTOCK_TRY(adopt(partition, entry));
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    auto outcomes = tables_.outcomes(ids);
    if (!outcomes) return std::move(outcomes).error();
    batch.outcomes = std::move(outcomes).value();
    return look_up_held(batch, records.front().offset.value());
}

/// A campaign of the part of the log that retention let go is taken from the store as it stood at
/// the first record that can be read.
Result<void> Replay::adopt(Partition& partition, const Entry& entry) {
    if (partition.start == 0 || !is_campaign_id(entry.key) || model_.find(entry.key) != nullptr) {
        return {};
    }
    const auto found = tables_.stock_of(entry.key);
    if (!found) return found.error();
    if (!*found || (*found)->created_offset >= static_cast<std::int64_t>(partition.start)) {
        return {};
    }
    const StockRow& stock = **found;
    const Value values[] = {entry.key, static_cast<std::int64_t>(partition.start)};
    const auto before = tables_.numbers(
        "SELECT SUM(quantity) FROM sale_grant WHERE campaign = :campaign AND record_offset < "
        ":before",
        values);
    if (!before) return before.error();
    const auto time = [](const std::optional<std::int64_t>& ms) {
        return ms ? std::optional<LogTime>(log_time(*ms)) : std::nullopt;
    };
    Campaign& campaign = model_.campaigns()[stock.campaign];
    campaign.body = {stock.quantity, stock.per_user, time(stock.opens_at_ms),
                     time(stock.closes_at_ms)};
    campaign.granted = (*before)[0];
    campaign.adopted = true;
    campaign.maybe_closed = stock.closed;
    campaign.created_at_ms = stock.created_at_ms;
    campaign.created_offset = stock.created_offset;
    return {};
}

Result<void> Replay::look_up_held(Batch& batch, std::uint64_t before) {
    std::vector<HeldKey> users;
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
        if (!batch.claims[i]) continue;
        const Campaign* campaign = model_.find(batch.entries[i].key);
        if (campaign == nullptr || !campaign->body.per_user) continue;
        users.push_back({batch.entries[i].key, batch.claims[i]->user_id});
    }
    std::sort(users.begin(), users.end());
    users.erase(std::unique(users.begin(), users.end()), users.end());
    const auto held = tables_.held(users, before);
    if (!held) return held.error();
    for (const Held& one : *held) batch.held[{one.campaign, one.user_id}] = one.units;
    return {};
}

std::int64_t Replay::held_by(const Batch& batch, std::size_t i) const {
    if (!batch.claims[i]) return 0;
    const auto at = batch.held.find({std::string(batch.entries[i].key), batch.claims[i]->user_id});
    return at == batch.held.end() ? 0 : at->second;
}

/// Its outcome may be gone: older than the time for which ids are remembered.
bool Replay::forgettable(const Entry& entry) const {
    return input_.dedup_horizon.count() != 0 && entry.time < input_.now - input_.dedup_horizon;
}

/// Let in under an older generation of the gate, it counts only where it lies before the end of
/// what the later one was rebuilt from.
bool Replay::is_stale(const Partition& partition, const Entry& entry) {
    if (!entry.gate_generation) return false;
    const auto& cuts = partition.owner.gate_cuts;
    return std::any_of(cuts.begin(), cuts.end(), [&](const auto& cut) {
        return cut.first > *entry.gate_generation && entry.offset >= cut.second;
    });
}

Result<void> Replay::judge(Partition& partition, const Logged& record, std::size_t i,
                           Batch& batch) {
    const Entry& entry = batch.entries[i];
    if (!entry.decodable) return expect_dead(partition, record, entry);
    const auto row =
        std::lower_bound(batch.outcomes.begin(), batch.outcomes.end(), *entry.id,
                         [](const OutcomeRow& outcome, const Uuid& id) { return outcome.id < id; });
    if (row == batch.outcomes.end() || row->id != *entry.id) {
        if (is_stale(partition, entry)) {
            ++stale_;
            return {};
        }
        const auto made_at = uuid_v7_time(*entry.id);
        const bool too_old = made_at && unix_ms(*made_at) < partition.owner.turn_time_ms -
                                                                ms_of(input_.dedup_horizon);
        const bool excused = forgettable(entry) || too_old;
        if (!excused) {
            fault(once_, fmt::format("id {} at {} has no outcome", shown(entry.id_text),
                                     place(partition.at, entry.offset)));
        }
        return without_outcome(partition, i, batch, excused);
    }
    const bool here = row->topic == partition.at.topic.value() &&
                      row->partition == std::int64_t{partition.at.partition.value()};
    const auto offset = static_cast<std::int64_t>(entry.offset);
    if (here && row->offset == offset) return compare(partition, record, i, batch, *row);
    if (!here || row->offset < offset) {
        ++duplicates_;  // an earlier record decided this id; this one changes nothing
        return {};
    }
    if (is_stale(partition, entry)) {
        ++stale_;
        return {};
    }
    if (!forgettable(entry)) {
        fault(once_,
              fmt::format("id {} at {} has its outcome under the later offset {}",
                          shown(entry.id_text), place(partition.at, entry.offset), row->offset));
    }
    return without_outcome(partition, i, batch, forgettable(entry));
}

Result<void> Replay::compare(Partition& partition, const Logged& record, std::size_t i,
                             Batch& batch, const OutcomeRow& row) {
    const Entry& entry = batch.entries[i];
    ++partition.outcomes;
    ++compared_;
    compare_times(partition, entry, row);
    if (row.body != entry.body) {
        fault(outcomes_, fmt::format("id {}: its body hash is not that of the record at {}",
                                     shown(entry.id_text), place(partition.at, entry.offset)));
    }
    if (row.outcome == 2 && row.reason == "failed") return expect_dead(partition, record, entry);
    Campaign* campaign = model_.find(entry.key);
    if (campaign != nullptr && campaign->maybe_closed && row.reason == "closed") {
        campaign->closed = true;
    }
    const ClaimBody* claim = batch.claims[i] ? &*batch.claims[i] : nullptr;
    const Expected expected = model_.decide(entry, row.decided_at_ms, claim, held_by(batch, i));
    compare_outcome(entry, expected, row);
    keep(i, batch, expected, row.decided_at_ms);
    return {};
}

/// Decisions are made in the order of the log at times that never go back, and an id that tells an
/// age beyond the horizon is never run.
void Replay::compare_times(Partition& partition, const Entry& entry, const OutcomeRow& row) {
    if (row.decided_at_ms < partition.last_decided_ms ||
        row.decided_at_ms > partition.owner.turn_time_ms) {
        fault(outcomes_, fmt::format("id {}: decided at {} ms, after {} and not after {} is due",
                                     shown(entry.id_text), row.decided_at_ms,
                                     partition.last_decided_ms, partition.owner.turn_time_ms));
    }
    partition.last_decided_ms = std::max(partition.last_decided_ms, row.decided_at_ms);
    const auto made_at = uuid_v7_time(*entry.id);
    if (made_at && input_.dedup_horizon.count() != 0 &&
        unix_ms(*made_at) < row.decided_at_ms - ms_of(input_.dedup_horizon)) {
        fault(outcomes_, fmt::format("id {} is older than the horizon and was decided all the same",
                                     shown(entry.id_text)));
    }
}

void Replay::compare_outcome(const Entry& entry, const Expected& expected, const OutcomeRow& row) {
    const auto told = [&](std::string_view what, std::string_view is, std::string_view due) {
        fault(outcomes_,
              fmt::format("id {} at offset {}: {} is {}, and {} is due", shown(entry.id_text),
                          entry.offset, what, shown(is), shown(due)));
    };
    if (row.outcome != (expected.done ? 1 : 2) || row.reason != expected.reason) {
        told("the outcome", row.outcome == 1 ? "done" : row.reason,
             expected.done ? "done" : expected.reason);
        return;
    }
    if (expected.reply && row.reply != *expected.reply)
        told("the reply", row.reply, *expected.reply);
    if (!expected.done && row.reason == "sold_out") sold_out_.emplace(entry.key);
}

/// The model goes on with what the store shows of the record's effect.
Result<void> Replay::without_outcome(Partition&, std::size_t i, Batch& batch, bool forgotten) {
    const Entry& entry = batch.entries[i];
    if (forgotten) {
        ++once_.not_compared;
        ++outcomes_.not_compared;
    }
    const ClaimBody* claim = batch.claims[i] ? &*batch.claims[i] : nullptr;
    const Expected expected =
        model_.decide(entry, std::numeric_limits<std::int64_t>::min(), claim, held_by(batch, i));
    const auto offset = static_cast<std::int64_t>(entry.offset);
    if (expected.granted) {
        const GrantKey key{entry.key, expected.granted->user_id, expected.granted->position};
        const auto found = tables_.grants({&key, 1});
        if (!found) return found.error();
        if (!found->empty() && found->front().offset == offset) {
            keep(i, batch, expected, found->front().granted_at_ms);
        }
        return {};
    }
    if (!expected.done) return {};
    const auto stock = tables_.stock_of(entry.key);
    if (!stock) return stock.error();
    if (!*stock) return {};
    if (entry.type == "sale.create" && (*stock)->created_offset == offset) {
        keep(i, batch, expected, (*stock)->created_at_ms);
    }
    Campaign* campaign = model_.find(entry.key);
    if (entry.type == "sale.close" && (*stock)->closed && campaign != nullptr) {
        campaign->maybe_closed = true;
    }
    return {};
}

Result<void> Replay::expect_dead(Partition& partition, const Logged& record, const Entry& entry) {
    const auto found =
        tables_.dead(partition.owner.topic, partition.owner.partition, record.offset.value());
    if (!found) return found.error();
    if (!*found) {
        fault(dead_, fmt::format("{} is not among the dead letters",
                                 place(partition.at, record.offset.value())));
        return {};
    }
    ++partition.dead;
    const DeadRow& row = **found;
    const auto same = [](const std::optional<std::string>& stored,
                         const std::optional<Bytes>& due) {
        return stored.has_value() == due.has_value() && (!due || *stored == as_text(*due));
    };
    const bool same_id =
        row.id.has_value() == entry.id.has_value() && (!entry.id || *row.id == sixteen(*entry.id));
    if (!same(row.key, record.key) || !same(row.value, record.value) || !same_id ||
        row.cause.empty()) {
        fault(dead_, fmt::format("the dead letter of {} is not its record",
                                 place(partition.at, record.offset.value())));
    }
    return {};
}

void Replay::keep(std::size_t i, Batch& batch, const Expected& expected,
                  std::int64_t decided_at_ms) {
    const Entry& entry = batch.entries[i];
    model_.apply(entry, expected, decided_at_ms);
    if (!expected.granted) return;
    batch.held[{std::string(entry.key), expected.granted->user_id}] += expected.granted->quantity;
    batch.grants.push_back({std::string(entry.key), *expected.granted, *entry.id,
                            std::string(entry.id_text), static_cast<std::int64_t>(entry.offset),
                            decided_at_ms});
}

Result<void> Replay::compare_grants(Batch& batch) {
    const auto key_of = [](const PendingGrant& grant) {
        return GrantKey{grant.campaign, grant.granted.user_id, grant.granted.position};
    };
    std::sort(batch.grants.begin(), batch.grants.end(),
              [&](const auto& a, const auto& b) { return key_of(a) < key_of(b); });
    std::vector<GrantKey> keys;
    for (const PendingGrant& grant : batch.grants) keys.push_back(key_of(grant));
    const auto rows = tables_.grants(keys);
    if (!rows) return rows.error();
    auto row = rows->begin();
    for (const PendingGrant& due : batch.grants) {
        const auto told = [&](std::string_view what) {
            fault(grant_rows_,
                  fmt::format("campaign {} position {} (user {}, offset {}): {}", due.campaign,
                              due.granted.position, shown(due.granted.user_id), due.offset, what));
        };
        if (row == rows->end() ||
            GrantKey{row->campaign, row->user_id, row->position} != key_of(due)) {
            told("there is no such grant");
            continue;
        }
        ++grants_;
        std::optional<std::string> id_text;
        if (!is_text_of(due.id, due.id_text)) id_text = due.id_text;
        // A user who may have one grant has it in slot 0, so that the table's key allows no other.
        const bool one_slot = model_.find(due.campaign)->body.per_user == 1;
        if (row->slot != (one_slot ? 0 : due.granted.position)) told("its slot differs");
        if (row->quantity != due.granted.quantity) told("its quantity differs");
        if (row->id != sixteen(due.id) || row->id_text != id_text) told("its id differs");
        if (row->offset != due.offset) told("its offset differs");
        if (row->granted_at_ms != due.granted_at_ms) told("its time differs");
        ++row;
    }
    return {};
}

Result<void> Replay::count_rows(Partition& partition) {
    const OwnerRow& owner = partition.owner;
    for (const bool outcomes : {true, false}) {
        const std::string table = outcomes ? "penstock_processed" : "penstock_dead_letter";
        const Value values[] = {static_cast<std::int64_t>(partition.start),
                                std::string_view(owner.topic), std::int64_t{owner.partition}};
        const auto counts = tables_.numbers(
            "SELECT COUNT(*), SUM(CASE WHEN record_offset < :start THEN 1 ELSE 0 END) FROM " +
                table + " WHERE topic = :topic AND partition_no = :partition_no",
            values);
        if (!counts) return counts.error();
        const auto all = static_cast<std::uint64_t>((*counts)[0]);
        const auto trimmed = static_cast<std::uint64_t>((*counts)[1]);
        const std::uint64_t due = outcomes ? partition.outcomes : partition.dead;
        Check& check = outcomes ? unexplained_ : dead_;
        check.not_compared += trimmed;
        (outcomes ? explained_ : dead_letters_) += all;
        if (all - trimmed != due) {
            fault(check, fmt::format("{}/{}: {} rows of {}, and {} records explain one",
                                     owner.topic, owner.partition, all - trimmed, table, due));
        }
    }
    return {};
}

/// Behind the store's place: what is reserved at the gate, and what a caller may not yet know.
Result<void> Replay::read_line(Partition& partition) {
    std::uint64_t next = std::max(partition.applied, partition.start);
    while (next < partition.end) {
        const auto read = input_.log.read(partition.at, Offset(next), kRead);
        if (!read) return read.error();
        if ((*read)->records().empty()) break;
        for (const Logged& record : (*read)->records()) {
            next = record.offset.value() + 1;
            const Entry entry = read_entry(record);
            if (!entry.decodable || !ids_in_line_.insert(*entry.id).second) continue;
            const auto recorded = tables_.outcomes({&*entry.id, 1});
            if (!recorded) return recorded.error();
            const auto claim = entry.type == "sale.claim" && recorded->empty()
                                   ? read_claim_body(entry.data)
                                   : std::nullopt;
            if (claim) in_line_[std::string(entry.key)] += claim->quantity;
        }
    }
    return {};
}

}  // namespace penstock::verify
