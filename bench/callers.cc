#include "bench/callers.h"

#include <algorithm>

#include "penstock/apps/sale/sale.h"

namespace penstock::bench {

Callers::Callers(Env& env, const std::string& campaign, std::size_t claims)
    : env_(env), campaign_(campaign), wake_(env.executor.make_wake()) {
    for (std::size_t i = 0; i < claims; ++i) {
        Claim& claim = *claims_.emplace_back(std::make_unique<Claim>());
        Command& command = claim.submission.command;
        command.id = make_uuid_v7(env.clock.wall(), env.random);
        claim.id = format_uuid(command.id);
        claim.data = sale::canonical(sale::Claim{"user-" + std::to_string(i), 1});
        command.id_text = claim.id;
        command.type = sale::kClaim;
        command.key = campaign_;
        command.data = as_bytes(claim.data);
        claim.submission.fresh_id = true;
    }
}

std::chrono::duration<double> Callers::ask(Requester& requester, std::size_t at_once) {
    const MonoTime began = env_.clock.mono();
    ask_next(requester, at_once);
    std::vector<Reply> replies;
    for (std::size_t answered = 0; answered < claims_.size(); answered += replies.size()) {
        replies.clear();
        replies_.with([&](std::vector<Reply>& all) { all.swap(replies); });
        if (replies.empty()) {
            wake_->wait_until(kNever);
            continue;
        }
        const MonoTime now = env_.clock.mono();
        for (const Reply& reply : replies) {
            Claim& claim = *claims_[reply.tag];
            claim.answered_at = now;
            const auto* settled = std::get_if<Settlement>(&reply.answer);
            claim.granted = settled != nullptr && std::holds_alternative<Done>(settled->outcome);
        }
        ask_next(requester, replies.size());
    }
    return env_.clock.mono() - began;
}

void Callers::ask_next(Requester& requester, std::size_t count) {
    const std::size_t first = next_;
    next_ = std::min(claims_.size(), first + count);
    batch_.clear();
    const MonoTime now = env_.clock.mono();
    const LogTime wall = env_.clock.wall();
    for (std::size_t i = first; i < next_; ++i) {
        claims_[i]->asked_at = now;
        claims_[i]->submission.command.requested_at = wall;
        batch_.push_back(claims_[i]->submission);
    }
    if (!batch_.empty()) requester.submit(batch_, first, *this);
}

void Callers::replied(std::span<Reply> replies) noexcept {
    replies_.with([&](std::vector<Reply>& all) {
        std::move(replies.begin(), replies.end(), std::back_inserter(all));
    });
    wake_->notify();
}

}  // namespace penstock::bench
