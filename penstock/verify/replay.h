#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "penstock/verify/model.h"
#include "penstock/verify/report.h"
#include "penstock/verify/tables.h"

namespace penstock::verify {

/// Replays every owned partition and compares each record with what the store has of it. The
/// store's rows of earlier offsets serve as the model's memory of who holds what: each of them was
/// compared before, and rows that nothing on the log explains are found by the counts at the end.
class Replay {
public:
    Replay(const VerifyInput& input, Tables& tables, Report& report);
    Result<void> run();

    Model& model() { return model_; }
    /// Units of claims on the log that are not applied yet, by campaign.
    const std::map<std::string, std::int64_t>& in_line() const { return in_line_; }
    const std::set<Uuid>& ids_in_line() const { return ids_in_line_; }
    std::uint64_t grants() const { return grants_; }
    const std::set<std::string>& sold_out() const { return sold_out_; }
    /// Highest first readable offset of any partition: 0 if retention took nothing.
    std::uint64_t trimmed_below() const { return trimmed_below_; }

private:
    struct Partition {
        const OwnerRow& owner;
        TopicPartition at;
        std::uint64_t start = 0, applied = 0, end = 0;
        std::int64_t last_decided_ms = 0;
        std::uint64_t outcomes = 0, dead = 0;  ///< rows that records explain
    };
    struct PendingGrant {
        std::string campaign;
        Granted granted;
        Uuid id;
        std::string id_text;
        std::int64_t offset = 0, granted_at_ms = 0;
    };
    /// What is looked up for a batch of records.
    struct Batch {
        std::vector<Entry> entries;
        std::vector<std::optional<ClaimBody>> claims;
        std::vector<OutcomeRow> outcomes;  ///< by id
        std::map<std::pair<std::string, std::string>, std::int64_t> held;
        std::vector<PendingGrant> grants;
    };

    Result<void> replay(Partition& partition);
    Result<void> check_owner(Partition& partition, const PartitionInfo& info);
    Result<void> take(Partition& partition, std::span<const Logged> records);
    Result<void> look_up(Partition& partition, std::span<const Logged> records, Batch& batch);
    Result<void> adopt(Partition& partition, const Entry& entry);
    Result<void> look_up_held(Batch& batch, std::uint64_t before);
    Result<void> judge(Partition& partition, const Logged& record, std::size_t i, Batch& batch);
    Result<void> compare(Partition& partition, const Logged& record, std::size_t i, Batch& batch,
                         const OutcomeRow& row);
    void compare_times(Partition& partition, const Entry& entry, const OutcomeRow& row);
    void compare_outcome(const Entry& entry, const Expected& expected, const OutcomeRow& row);
    Result<void> without_outcome(Partition& partition, std::size_t i, Batch& batch, bool forgotten);
    Result<void> expect_dead(Partition& partition, const Logged& record, const Entry& entry);
    void keep(std::size_t i, Batch& batch, const Expected& expected, std::int64_t decided_at_ms);
    Result<void> compare_grants(Batch& batch);
    Result<void> count_rows(Partition& partition);
    Result<void> read_line(Partition& partition);
    std::int64_t held_by(const Batch& batch, std::size_t i) const;
    bool forgettable(const Entry& entry) const;
    static bool is_stale(const Partition& partition, const Entry& entry);

    const VerifyInput& input_;
    Tables& tables_;
    Model model_;
    Check& log_;
    Check& owners_;
    Check& once_;
    Check& outcomes_;
    Check& unexplained_;
    Check& dead_;
    Check& grant_rows_;
    std::uint64_t records_ = 0, grants_ = 0, duplicates_ = 0, stale_ = 0, compared_ = 0,
                  dead_letters_ = 0;
    std::uint64_t explained_ = 0, trimmed_below_ = 0;
    std::map<std::string, std::int64_t> in_line_;
    std::set<Uuid> ids_in_line_;
    std::set<std::string> sold_out_;
};

}  // namespace penstock::verify
