#include "penstock/apps/sale/sale_gate.h"

#include "penstock/apps/sale/campaign_handlers.h"
#include "penstock/apps/sale/claim_view.h"
#include "penstock/apps/sale/stock.h"

namespace penstock::sale {
namespace {

constexpr std::size_t kPage = 10'000;

ResourceSpec spec_of(std::string_view id, const Campaign& campaign, bool closed) {
    return ResourceSpec{ResourceId(std::string(id)), campaign.quantity,  campaign.per_user,
                        campaign.opens_at,           campaign.closes_at, closed};
}

ResourceSpec spec_of(const CampaignRow& row) {
    ResourceSpec spec = spec_of(row.id, row.campaign, row.closed);
    if (row.closed || row.granted >= row.campaign.quantity) {
        // Nobody gets in again: who holds what need not be in memory.
        spec.final_granted = static_cast<std::uint32_t>(row.granted);
    }
    return spec;
}

/// Texts that had to be unescaped outlive the call in a ring: an Ask borrows.
std::string_view keep(std::string holder) {
    thread_local std::vector<std::string> kept;
    thread_local std::size_t next = 0;
    if (kept.size() < SaleGate::kKeptHolders) kept.reserve(SaleGate::kKeptHolders);
    if (kept.size() == next) {
        kept.push_back(std::move(holder));
    } else {
        kept[next] = std::move(holder);
    }
    const std::string_view result = kept[next];
    next = (next + 1) % SaleGate::kKeptHolders;
    return result;
}

}  // namespace

std::optional<Ask> SaleGate::ask(const Command& command) const {
    if (command.type != kClaim) return std::nullopt;
    const std::string_view json = as_text(command.data);
    if (const auto view = scan_canonical(json)) {
        return Ask{command.id, command.key, view->user_id, view->quantity};
    }
    auto claim = parse_claim(json);
    if (!claim) return std::nullopt;  // a foreign record: its owner refuses it
    const std::uint32_t quantity = claim->quantity;
    return Ask{command.id, command.key, keep(std::move(claim->user_id)), quantity};
}

Result<std::vector<ResourceSpec>> SaleGate::resources(Session& session) const {
    const auto rows = read_campaigns(session);
    if (!rows) return rows.error();
    std::vector<ResourceSpec> specs;
    for (const CampaignRow& row : *rows) specs.push_back(spec_of(row));
    return specs;
}

Result<bool> SaleGate::exists(Session& session, std::string_view resource) const {
    if (!check_campaign_id(resource)) return false;
    const auto rows = read_campaigns(session, resource);
    if (!rows) return rows.error();
    return !rows->empty();
}

Result<void> SaleGate::holdings(
    Session& session, const ResourceSpec& resource,
    const std::function<Result<void>(std::span<const Holding>)>& take) const {
    StatementId page{};
    PENSTOCK_TRY(prepare(session,
                         "SELECT user_id, slot, quantity, id FROM sale_grant "
                         "WHERE campaign = :campaign AND user_id >= :user_id AND "
                         "(user_id, slot) > (:user_id, :slot) "
                         "ORDER BY user_id, slot LIMIT :page",
                         page));
    std::string user_id;
    std::int64_t slot = -1;
    std::vector<Holding> holdings;
    for (;;) {
        const Value values[] = {std::string_view(resource.resource.value()),
                                std::string_view(user_id), slot, std::int64_t{kPage}};
        const auto read = run_one(session, page, values);
        if (!read) return read.error();
        const Table& table = read->table;
        holdings.clear();
        for (std::size_t row = 0; row < table.rows(); ++row) {
            holdings.push_back({to_hash128(table.blob(row, 3)), table.text(row, 0),
                                static_cast<std::uint32_t>(table.integer(row, 2)), true});
        }
        if (!holdings.empty()) PENSTOCK_TRY(take(holdings));
        if (table.rows() < kPage) return {};
        user_id = table.text(table.rows() - 1, 0);
        slot = table.integer(table.rows() - 1, 1);
    }
}

std::optional<GateLink::Change> SaleGate::changed(const Command& command, const Done& done) const {
    if (done.events.empty()) return std::nullopt;  // it was so already
    const Event& event = done.events.front();
    const auto campaign = parse_campaign(event.data);
    if (!campaign) return std::nullopt;
    const bool closed = event.type == kClosedEvent;
    return Change{spec_of(command.key, *campaign, closed), !closed};
}

}  // namespace penstock::sale
