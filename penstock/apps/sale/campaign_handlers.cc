#include "penstock/apps/sale/campaign_handlers.h"

#include <fmt/format.h>

#include "penstock/apps/sale/stock.h"

namespace penstock::sale {
namespace {

Value optional_value(const std::optional<std::uint32_t>& units) {
    return units ? Value(std::int64_t{*units}) : Value(std::monostate{});
}
Value optional_value(const std::optional<LogTime>& time) {
    return time ? Value(unix_ms(*time)) : Value(std::monostate{});
}

std::string select_stock(const Dialect& dialect) {
    return fmt::format("SELECT {} FROM sale_stock WHERE campaign = :campaign{}", kStockColumns,
                       dialect.for_update());
}

Done created(const Command& command, const Campaign& campaign, bool now) {
    Done done{fmt::format(R"({{"campaign":"{}","created":{}}})", command.key, now), {}};
    if (now) {
        done.events.push_back(
            {std::string(kCreatedEvent), std::string(command.key), canonical(campaign)});
    }
    return done;
}

/// A verdict that the lane does not look at: the transaction has failed.
Verdict nothing() {
    return Failed{};
}

}  // namespace

Result<void> CreateHandler::prepare(Session& session, const Dialect& dialect) {
    PENSTOCK_TRY(sale::prepare(session, select_stock(dialect), read_));
    return sale::prepare(session,
                         "INSERT INTO sale_stock (campaign, quantity, per_user, opens_at, "
                         "closes_at, closed, granted, version, created_at, created_offset) VALUES "
                         "(:campaign, :quantity, :per_user, :opens_at, :closes_at, 0, 0, 1, "
                         ":created_at, :created_offset)",
                         insert_);
}

void CreateHandler::run(const Turn& turn, std::span<const Command> commands, Tx& tx,
                        std::span<Verdict> verdicts) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
        verdicts[i] = create(turn, commands[i], tx);
        if (tx.failure()) return;
    }
}

Verdict CreateHandler::create(const Turn& turn, const Command& command, Tx& tx) {
    if (const auto good = check_campaign_id(command.key); !good) {
        return Refused{kInvalid, good.error().text};
    }
    const auto campaign = parse_campaign(as_text(command.data));
    if (!campaign) return Refused{kInvalid, campaign.error().text};
    const Value key[] = {command.key};
    const auto found = tx.run(read_, key);
    if (!found) return nothing();
    if (found->table.rows() != 0) {
        if (campaign_row(found->table, 0).campaign == *campaign)
            return created(command, *campaign, false);
        return Refused{kConflict, "a campaign with this id is there already, with other settings"};
    }
    const Value values[] = {command.key,
                            std::int64_t{campaign->quantity},
                            optional_value(campaign->per_user),
                            optional_value(campaign->opens_at),
                            optional_value(campaign->closes_at),
                            unix_ms(turn.now),
                            static_cast<std::int64_t>(command.offset.value())};
    if (!tx.run(insert_, values)) return nothing();
    return created(command, *campaign, true);
}

Result<void> CloseHandler::prepare(Session& session, const Dialect& dialect) {
    PENSTOCK_TRY(sale::prepare(session, select_stock(dialect), read_));
    return sale::prepare(session,
                         "UPDATE sale_stock SET closed = 1, version = version + 1 "
                         "WHERE campaign = :campaign AND closed = 0",
                         close_);
}

void CloseHandler::run(const Turn&, std::span<const Command> commands, Tx& tx,
                       std::span<Verdict> verdicts) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
        verdicts[i] = close(commands[i], tx);
        if (tx.failure()) return;
    }
}

Verdict CloseHandler::close(const Command& command, Tx& tx) {
    const Refused unknown{kNoCampaign, "there is no campaign with this id"};
    if (!check_campaign_id(command.key)) return unknown;
    const Value key[] = {command.key};
    const auto found = tx.run(read_, key);
    if (!found) return nothing();
    if (found->table.rows() == 0) return unknown;
    const CampaignRow row = campaign_row(found->table, 0);
    Done done{fmt::format(R"({{"campaign":"{}","closed":true}})", command.key), {}};
    if (row.closed) return done;
    if (!tx.run(close_, key)) return nothing();
    done.events.push_back(
        {std::string(kClosedEvent), std::string(command.key), canonical(row.campaign)});
    return done;
}

}  // namespace penstock::sale
