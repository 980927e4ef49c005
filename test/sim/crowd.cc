#include "test/sim/crowd.h"

#include <algorithm>

namespace penstock::test {
namespace {

constexpr std::chrono::milliseconds kRetry{2};

}  // namespace

Crowd::Crowd(Machine& machine, std::string campaign, std::size_t callers)
    : machine_(machine),
      campaign_(std::move(campaign)),
      wake_(machine.world().env().executor.make_wake()),
      callers_(callers) {}

void Crowd::call(const std::function<bool()>& enough) {
    Clock& clock = machine_.world().env().clock;
    for (;;) {
        take_replies();
        if (enough() || (sold_out_ && in_flight_ == 0)) return;
        MonoTime next = clock.mono() + kRetry;
        for (std::size_t i = 0; i < callers_.size(); ++i) {
            const Caller& caller = callers_[i];
            if (caller.in_flight || (sold_out_ && !caller.claim)) continue;
            if (caller.next_try <= clock.mono()) {
                submit(i);
            } else {
                next = std::min(next, caller.next_try);
            }
        }
        if (inbox_.empty()) wake_->wait_until(next);
    }
}

void Crowd::submit(std::size_t index) {
    Caller& caller = callers_[index];
    if (!caller.claim) {
        const std::string name = campaign_ + "-" + std::to_string(made_++);
        caller.claim = ClaimForm{campaign_, name, name, 1, std::nullopt, false};
    }
    history_.asked(*caller.claim);
    caller.in_flight = true;
    ++in_flight_;
    const Made made(*caller.claim, machine_.now());
    machine_.node().requester().submit({&made.submission(), 1}, index, *this);
}

void Crowd::replied(std::span<Reply> replies) noexcept {
    for (Reply& reply : replies) {
        if (on_outcome && std::holds_alternative<Settlement>(reply.answer)) on_outcome();
        inbox_.push_back(std::move(reply));
    }
    wake_->notify();
}

void Crowd::take_replies() {
    std::vector<Reply> replies;
    replies.swap(inbox_);
    for (const Reply& reply : replies) {
        Caller& caller = callers_[reply.tag];
        caller.in_flight = false;
        --in_flight_;
        if (auto bad = history_.answered(*caller.claim, reply.answer); !bad.empty()) {
            wrong_.push_back(std::move(bad));
        }
        outcomes_ += std::holds_alternative<Settlement>(reply.answer);
        const std::string word = word_of(reply.answer);
        sold_out_ = sold_out_ || word == "sold_out";
        const bool final = std::holds_alternative<Settlement>(reply.answer) || word == "sold_out";
        if (!final) caller.next_try = machine_.world().env().clock.mono() + kRetry;
        if (final) caller = Caller{};
    }
}

void Crowd::server_died() {
    // What reached the callers before the cut counts.
    take_replies();
    in_flight_ = 0;
    for (Caller& caller : callers_) caller.in_flight = false;
}

}  // namespace penstock::test
