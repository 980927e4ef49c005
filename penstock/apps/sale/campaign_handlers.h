#pragma once

#include "penstock/apps/sale/sale.h"

namespace penstock::sale {

/// Event of a campaign that a sale.close has closed; its data is the canonical campaign.
inline constexpr std::string_view kClosedEvent = "sale.closed";
inline constexpr std::string_view kCreatedEvent = "sale.created";

/// sale.create: the same body again is Done, another one refused.
class CreateHandler final : public Handler {
public:
    Result<void> prepare(Session& session, const Dialect& dialect) override;
    void run(const Turn& turn, std::span<const Command> commands, Tx& tx,
             std::span<Verdict> verdicts) override;

private:
    Verdict create(const Turn& turn, const Command& command, Tx& tx);

    StatementId read_{}, insert_{};
};

/// sale.close: from its place on the log on.
class CloseHandler final : public Handler {
public:
    Result<void> prepare(Session& session, const Dialect& dialect) override;
    void run(const Turn& turn, std::span<const Command> commands, Tx& tx,
             std::span<Verdict> verdicts) override;

private:
    Verdict close(const Command& command, Tx& tx);

    StatementId read_{}, close_{};
};

}  // namespace penstock::sale
