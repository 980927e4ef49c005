#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "test/sim/machine.h"
#include "test/sim/sale_history.h"

namespace penstock::test {

/// Callers of one campaign, a user each time, so many claims in flight; every claim is asked again
/// under its id until it has an outcome, also after the server was gone. Threads: the machine's.
class Crowd final : public ReplySink {
public:
    Crowd(Machine& machine, std::string campaign, std::size_t callers);

    /// Calls until `enough` holds or the campaign is sold out. From inside Machine::run().
    void call(const std::function<bool()>& enough);
    /// What was in flight is not answered any more.
    void server_died();

    SaleHistory& history() { return history_; }
    std::size_t outcomes() const { return outcomes_; }  ///< answers that are recorded
    std::size_t in_flight() const { return in_flight_; }
    bool sold_out() const { return sold_out_; }
    /// Answers that contradict each other.
    const std::vector<std::string>& wrong() const { return wrong_; }
    /// Called with each recorded outcome, at the moment it comes.
    std::function<void()> on_outcome;

    void replied(std::span<Reply> replies) noexcept override;

private:
    struct Caller {
        std::optional<ClaimForm> claim;
        bool in_flight = false;
        MonoTime next_try{};
    };

    void take_replies();
    void submit(std::size_t index);

    Machine& machine_;
    const std::string campaign_;
    const std::unique_ptr<Wake> wake_;
    SaleHistory history_;
    std::vector<Caller> callers_;
    std::vector<Reply> inbox_;
    std::vector<std::string> wrong_;
    std::size_t made_ = 0, outcomes_ = 0, in_flight_ = 0;
    bool sold_out_ = false;
};

}  // namespace penstock::test
