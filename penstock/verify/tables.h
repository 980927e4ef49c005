#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/uuid.h"
#include "penstock/store/store.h"

/// The tables that are judged, read in one snapshot.
namespace penstock::verify {

struct OwnerRow {
    std::string topic;
    std::uint32_t partition = 0;
    std::uint64_t next_offset = 0;
    std::int64_t fingerprint = 0;
    std::string log_uuid;  ///< 16 bytes
    std::int64_t turn_time_ms = 0;
    /// Rebuilds of the gate: generation, and the end of what was admitted before that counts.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gate_cuts;
};

struct OutcomeRow {
    Uuid id;
    Hash128 body;
    std::int64_t outcome = 0;  ///< 1 done, 2 refused
    std::string reason, reply, topic;
    std::int64_t partition = 0, offset = 0, decided_at_ms = 0;
};

struct GrantKey {
    std::string_view campaign, user_id;
    std::int64_t position = 0;
    friend auto operator<=>(const GrantKey&, const GrantKey&) = default;
};

struct GrantRow {
    std::string campaign, user_id;
    std::int64_t slot = 0, position = 0, quantity = 0, offset = 0, granted_at_ms = 0;
    std::string id;  ///< 16 bytes
    std::optional<std::string> id_text;
};

struct HeldKey {
    std::string_view campaign, user_id;
    friend auto operator<=>(const HeldKey&, const HeldKey&) = default;
};

struct Held {
    std::string campaign, user_id;
    std::int64_t units = 0;
};

struct DeadRow {
    std::optional<std::string> id, key, value;
    std::string cause;
};

struct StockRow {
    std::string campaign;
    std::int64_t quantity = 0;
    std::optional<std::int64_t> per_user, opens_at_ms, closes_at_ms;
    bool closed = false;
    std::int64_t granted = 0, created_at_ms = 0, created_offset = 0;
};

/// Statements over one session whose snapshot is open.
class Tables {
public:
    explicit Tables(Session& session) : session_(session) {}

    Result<std::vector<OwnerRow>> owners(const std::string& group);
    /// Those of `ids` (sorted, distinct) that are recorded, by id.
    Result<std::vector<OutcomeRow>> outcomes(std::span<const Uuid> ids);
    /// Those of `keys` (sorted) that are there, in this order.
    Result<std::vector<GrantRow>> grants(std::span<const GrantKey> keys);
    /// Units of each user (sorted, distinct) by records below `before`; who has none is left out.
    Result<std::vector<Held>> held(std::span<const HeldKey> users, std::uint64_t before);
    Result<std::optional<DeadRow>> dead(const std::string& topic, std::uint32_t partition,
                                        std::uint64_t offset);
    /// Up to `limit` rows after `after`, by campaign.
    Result<std::vector<StockRow>> stock(std::string_view after, std::int64_t limit);
    Result<std::optional<StockRow>> stock_of(std::string_view campaign);
    /// The first row of a query of ours, integers and nulls (as 0).
    Result<std::vector<std::int64_t>> numbers(std::string_view sql,
                                              std::span<const Value> values = {});
    Result<Table> query(std::string_view sql, std::span<const Value> values = {});

private:
    Result<Table> query_many(std::string_view sql, std::span<const Value> values);

    Session& session_;
    std::vector<Value> values_;
};

}  // namespace penstock::verify
