#include "test/sim/script.h"

#include <fmt/format.h>

namespace penstock::test {

Script::Script(std::uint64_t seed) : dice_(seed) {
    const std::uint64_t count = 1 + dice_.below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
        Planned& planned = campaigns_.emplace_back();
        planned.id = fmt::format("campaign-{}", i);
        planned.campaign.quantity = static_cast<std::uint32_t>(100 + dice_.below(600));
        const std::uint64_t limit = dice_.below(3);
        if (limit != 0) planned.campaign.per_user = limit == 1 ? 1 : 5;
        planned.opens_at_claim = i == 0 ? 0 : dice_.below(2 * units_);
        units_ += planned.campaign.quantity;
    }
    claims_ = 3 * units_;
}

Planned* Script::next_campaign() {
    for (Planned& planned : campaigns_) {
        if (planned.asked || planned.opens_at_claim > made_) continue;
        planned.asked = true;
        return &planned;
    }
    return nullptr;
}

std::optional<ClaimForm> Script::next_claim(LogTime now) {
    std::vector<const Planned*> open;
    for (const Planned& planned : campaigns_) {
        if (planned.created) open.push_back(&planned);
    }
    if (open.empty() || over()) return std::nullopt;
    ++made_;
    if (!earlier_.empty() && dice_.below(50) == 0) return earlier_[dice_.below(earlier_.size())];
    const Planned& planned = *open[dice_.below(open.size())];
    ClaimForm claim;
    claim.campaign = planned.id;
    claim.user = fmt::format("user-{}", dice_.below(2 * units_));
    claim.id = fmt::format("claim-{}-{:x}", made_, dice_.next());
    if (dice_.below(8) == 0) claim.quantity = static_cast<std::uint32_t>(1 + dice_.below(4));
    if (dice_.below(10) == 0) {
        claim.deadline = now + std::chrono::milliseconds(dice_.below(30));
    }
    claim.fresh_id = dice_.below(4) == 0;
    earlier_.push_back(claim);
    earlier_.back().fresh_id = false;
    return claim;
}

ClaimForm Script::claim_of_newcomer(const Planned& planned) {
    const std::string name = fmt::format("newcomer-{}", newcomers_++);
    return ClaimForm{planned.id, name, name, 1, std::nullopt, false};
}

}  // namespace penstock::test
