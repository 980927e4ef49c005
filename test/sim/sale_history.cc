#include "test/sim/sale_history.h"

#include <fmt/format.h>

#include <cstring>
#include <set>

namespace penstock::test {
namespace {

/// A row of the processed ids, in the form of settled_bytes().
struct Processed {
    std::string settled;
    std::uint64_t offset = 0;
    LogTime decided_at{};
};

/// What the store and the log hold, read once.
class Picture {
public:
    Picture(Log& log, Store& store, std::vector<std::string>& wrong) : wrong_(wrong) {
        read_store(store);
        read_log(log);
    }

    std::map<Uuid, Processed> processed;
    std::map<std::string, std::vector<sale::GrantRow>> grants;
    std::map<std::string, sale::CampaignRow> campaigns;
    std::map<Uuid, ClaimForm> claims_on_log;  ///< as the first record of the id says
    std::map<Uuid, std::uint64_t> first_offset;
    std::uint64_t applied = 0, end = 0;

private:
    void read_store(Store& store);
    void read_processed(Session& session);
    void read_log(Log& log);
    void read_record(const Logged& record);
    Rows query(Session& session, std::string_view sql);

    std::vector<std::string>& wrong_;
};

Uuid uuid_of(Bytes bytes) {
    Uuid uuid;
    if (bytes.size() == uuid.bytes.size()) std::memcpy(uuid.bytes.data(), bytes.data(), 16);
    return uuid;
}

Rows Picture::query(Session& session, std::string_view sql) {
    const auto prepared = session.prepare(sql);
    if (!prepared) {
        wrong_.push_back(prepared.error().text);
        return {};
    }
    auto rows = run_one(session, *prepared, {});
    if (!rows) wrong_.push_back(rows.error().text);
    return rows ? std::move(*rows) : Rows{};
}

void Picture::read_store(Store& store) {
    auto session = store.open(Role::reader, SessionLimits{});
    if (!session || !(*session)->begin()) {
        wrong_.push_back("the store cannot be read");
        return;
    }
    read_processed(**session);
    const Rows owner = query(**session, "SELECT next_offset FROM penstock_owner");
    if (owner.table.rows() == 1) applied = static_cast<std::uint64_t>(owner.table.integer(0, 0));
    const auto rows = sale::read_campaigns(**session);
    if (!rows) wrong_.push_back(rows.error().text);
    for (const sale::CampaignRow& row : rows ? *rows : std::vector<sale::CampaignRow>{}) {
        campaigns[row.id] = row;
        auto all = sale::read_grants(**session, row.id, "", 0, row.granted + 1'000);
        if (!all) wrong_.push_back(all.error().text);
        if (all) grants[row.id] = std::move(*all);
    }
    (*session)->rollback();
}

void Picture::read_processed(Session& session) {
    const Rows rows = query(session,
                            "SELECT id, outcome, reason, reply, record_offset, decided_at "
                            "FROM penstock_processed");
    const Table& table = rows.table;
    for (std::size_t row = 0; row < table.rows(); ++row) {
        Processed& entry = processed[uuid_of(table.blob(row, 0))];
        entry.settled = table.integer(row, 1) == 1
                            ? fmt::format("done {}", table.text(row, 3))
                            : fmt::format("refused {} {}", table.text(row, 2), table.text(row, 3));
        entry.offset = static_cast<std::uint64_t>(table.integer(row, 4));
        entry.decided_at = log_time(table.integer(row, 5));
    }
}

void Picture::read_log(Log& log) {
    const TopicPartition at{TopicId(std::string(sale::kTopic)), PartitionId(0)};
    const auto info = log.describe(at.topic);
    if (!info) {
        wrong_.push_back(info.error().text);
        return;
    }
    end = info->front().partitions.front().end.value();
    Offset next = info->front().partitions.front().start;
    while (next.value() < end) {
        const auto batch = log.read(at, next, ReadLimits{});
        if (!batch || (*batch)->records().empty()) {
            wrong_.push_back(fmt::format("the log cannot be read at offset {}", next.value()));
            return;
        }
        for (const Logged& record : (*batch)->records()) {
            if (record.offset != next) wrong_.push_back("the offsets of the log have a gap");
            read_record(record);
            next = Offset(next.value() + 1);
        }
    }
}

void Picture::read_record(const Logged& record) {
    const auto decoded = decode(record, "");
    const auto* command = std::get_if<Command>(&decoded);
    if (command == nullptr) return;
    first_offset.emplace(command->id, record.offset.value());
    if (command->type != sale::kClaim) return;
    ClaimForm form;
    form.campaign = command->key;
    form.id = command->id_text;
    form.deadline = command->deadline;
    claims_on_log.emplace(command->id, form);
}

class Checker {
public:
    Checker(const SaleHistory& history, const Picture& picture, std::vector<std::string>& wrong)
        : history_(history), picture_(picture), wrong_(wrong) {}

    void check_ids();
    void check_told();
    void check_deadlines();
    void check_campaign(const std::string& campaign, const Expected& expected, Gate& gate);

private:
    template <class... Args>
    void wrong(fmt::format_string<Args...> format, Args&&... args) {
        wrong_.push_back(fmt::format(format, std::forward<Args>(args)...));
    }

    const SaleHistory& history_;
    const Picture& picture_;
    std::vector<std::string>& wrong_;
};

/// Every id on the log has exactly one outcome, from its first record; no outcome without one.
void Checker::check_ids() {
    if (picture_.applied != picture_.end) {
        wrong("applied up to {}, but the log ends at {}", picture_.applied, picture_.end);
    }
    for (const auto& [id, offset] : picture_.first_offset) {
        const auto found = picture_.processed.find(id);
        if (found == picture_.processed.end()) {
            wrong("the record at {} has no outcome", offset);
        } else if (found->second.offset != offset) {
            wrong("the outcome of the record at {} names offset {}", offset, found->second.offset);
        }
    }
    for (const auto& [id, row] : picture_.processed) {
        if (!picture_.first_offset.contains(id)) wrong("outcome at {} without record", row.offset);
    }
}

/// Nothing acknowledged is lost or changed, and a definite no wrote nothing.
void Checker::check_told() {
    std::set<Uuid> asked;
    for (const auto& [id_text, told] : history_.by_id()) {
        const Uuid id = uuid_of_id(id_text);
        asked.insert(id);
        const auto row = picture_.processed.find(id);
        if (!told.settled.empty() && row == picture_.processed.end()) {
            wrong("{}: told '{}', but there is no outcome any more", id_text, told.settled);
        } else if (!told.settled.empty() && row->second.settled != told.settled) {
            wrong("{}: told '{}', stored '{}'", id_text, told.settled, row->second.settled);
        }
        if (told.attempts == told.definite_no && picture_.first_offset.contains(id)) {
            wrong("{}: every attempt was refused before the log, but there is a record", id_text);
        }
    }
    for (const auto& [id, claim] : picture_.claims_on_log) {
        if (!asked.contains(id)) wrong("{}: a claim on the log that nobody made", claim.id);
    }
}

/// Expired exactly where the clock that is stored with the outcome was past the deadline.
void Checker::check_deadlines() {
    for (const auto& [id, claim] : picture_.claims_on_log) {
        const auto row = picture_.processed.find(id);
        if (row == picture_.processed.end()) continue;
        const bool expired = row->second.settled.starts_with("refused expired");
        const bool past = claim.deadline && *claim.deadline < row->second.decided_at;
        if (expired != past) {
            wrong("{}: expired is {} where it should be {}", claim.id, expired, past);
        }
    }
}

void Checker::check_campaign(const std::string& campaign, const Expected& expected, Gate& gate) {
    const auto row = picture_.campaigns.find(campaign);
    if (row == picture_.campaigns.end()) return wrong("campaign {} is gone", campaign);
    const auto grants = picture_.grants.find(campaign);
    std::uint64_t position = 1;
    std::map<std::string, std::uint64_t> by_user;
    std::set<std::string> ids;
    for (const sale::GrantRow& grant : grants->second) {
        if (grant.position != position) {
            wrong("{}: position {} follows {}", campaign, grant.position, position - 1);
        }
        position = grant.position + grant.quantity;
        by_user[grant.user_id] += grant.quantity;
        if (!ids.insert(grant.claim_id).second) wrong("{} granted twice", grant.claim_id);
        const auto settled = picture_.processed.find(uuid_of_id(grant.claim_id));
        if (settled == picture_.processed.end() || !settled->second.settled.starts_with("done") ||
            settled->second.offset != grant.offset) {
            wrong("{}: a grant without its outcome", grant.claim_id);
        }
    }
    if (position != expected.granted + 1 || row->second.granted != expected.granted) {
        wrong("{}: {} units granted, {} in its row, {} expected", campaign, position - 1,
              row->second.granted, expected.granted);
    }
    for (const auto& [user, units] : by_user) {
        if (expected.per_user && units > *expected.per_user) {
            wrong("{}: {} has {} units", campaign, user, units);
        }
    }
    const auto counts = gate.counts(ResourceId(campaign));
    if (!counts) return wrong("{}: the gate says {}", campaign, counts.error().text);
    if (counts->granted != expected.granted || counts->reserved != 0) {
        wrong("{}: the gate counts {} granted and {} reserved, {} and 0 expected", campaign,
              counts->granted, counts->reserved, expected.granted);
    }
}

std::vector<std::string> shortened(std::vector<std::string> wrong) {
    constexpr std::size_t kMostShown = 20;
    if (wrong.size() > kMostShown) {
        const std::string more = fmt::format("and {} more", wrong.size() - kMostShown);
        wrong.resize(kMostShown);
        wrong.push_back(more);
    }
    return wrong;
}

}  // namespace

void SaleHistory::asked(const ClaimForm& claim) {
    Told& told = by_id_[claim.id];
    if (told.attempts++ == 0) told.claim = claim;
}

std::string SaleHistory::answered(const ClaimForm& claim, const Answered& answer) {
    Told& told = by_id_[claim.id];
    const std::string settled = settled_bytes(answer);
    if (settled.empty()) {
        told.definite_no += !is_unknown(answer);
        const bool late = std::holds_alternative<NotAdmitted>(answer) && !told.settled.empty();
        return late ? fmt::format("{}: told '{}', then {}", claim.id, told.settled, word_of(answer))
                    : "";
    }
    if (told.settled.empty()) {
        told.settled = settled;
        ++settled_;
    }
    return told.settled == settled
               ? ""
               : fmt::format("{}: told '{}', then '{}'", claim.id, told.settled, settled);
}

std::vector<std::string> check_sale(const SaleHistory& history,
                                    const std::map<std::string, Expected>& campaigns, Log& log,
                                    Store& store, Gate& gate) {
    std::vector<std::string> wrong;
    const Picture picture(log, store, wrong);
    Checker checker(history, picture, wrong);
    checker.check_ids();
    checker.check_told();
    checker.check_deadlines();
    for (const auto& [campaign, expected] : campaigns) {
        checker.check_campaign(campaign, expected, gate);
    }
    return shortened(std::move(wrong));
}

std::vector<std::string> check_told(const SaleHistory& history, Log& log, Store& store) {
    std::vector<std::string> wrong;
    const Picture picture(log, store, wrong);
    Checker(history, picture, wrong).check_told();
    return shortened(std::move(wrong));
}

}  // namespace penstock::test
