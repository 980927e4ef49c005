#pragma once

#include <deque>

#include "penstock/apps/sale/claim_view.h"

namespace penstock::sale {

/// sale.claim, many at once: per batch and campaign one read and one update of the stock row, one
/// look-up per user where there is a limit, and one insert of all grants. The decisions are made in
/// memory in the order of the log, so how a log is cut into batches changes no row.
class ClaimHandler final : public Handler {
public:
    static constexpr std::size_t kWidest = 1000;

    Result<void> prepare(Session& session, const Dialect& dialect) override;
    void run(const Turn& turn, std::span<const Command> commands, Tx& tx,
             std::span<Verdict> verdicts) override;
    std::size_t widest() const override { return kWidest; }

private:
    struct Stock;
    struct Work;

    static bool has_one_slot(const Stock& stock);
    bool read_stock(Work& work, Tx& tx) const;
    bool read_held(Work& work, Tx& tx) const;
    bool write_stock(Work& work, Tx& tx) const;
    bool write_grants(Work& work, Tx& tx) const;

    StatementId read_stock_{}, read_held_{}, take_{}, grant_{};
};

}  // namespace penstock::sale
