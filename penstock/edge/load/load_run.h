#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "penstock/edge/load/load.h"
#include "penstock/edge/load/load_connection.h"
#include "penstock/edge/load/load_history.h"
#include "penstock/edge/load/load_tally.h"

namespace penstock::load {

/// One run of the load: an event loop over all virtual users. Threads: one.
class LoadRun {
public:
    LoadRun(const LoadOptions& options, const std::function<void(const LoadProgress&)>& progress,
            Env& env, SocketAddress server, LoadHistory history);

    Result<LoadReport> run();

private:
    using State = LoadConnection::State;

    MonoTime now() { return env_.clock.mono(); }
    bool over(MonoTime now) const;
    bool done(MonoTime now) const { return over(now) && in_hand_ == 0; }
    MonoTime next_wake(MonoTime now) const;

    void on_event(const epoll_event& event);
    void on_connect(LoadConnection& connection);
    /// `ended`: the server has said that nothing more comes.
    void on_readable(LoadConnection& connection, bool ended);
    /// False: nothing more can be read from it.
    bool take_bytes(LoadConnection& connection, std::string_view bytes);

    void connect(LoadConnection& connection, MonoTime now);
    void connect_failed(LoadConnection& connection, MonoTime now);
    void lost(LoadConnection& connection, MonoTime now);
    void pause(LoadConnection& connection, State state, MonoTime now, std::uint32_t at_least_s);

    /// Takes new claims, if it is time for any, and sends what is in hand.
    void begin(LoadConnection& connection, MonoTime now);
    void send(LoadConnection& connection, MonoTime now);
    void answered(LoadConnection& connection, const AnswerHead& head, std::string_view body,
                  MonoTime now);
    /// True: the claim stays in hand, to be sent again.
    bool told(const Claim& claim, const ClaimAnswer& answer);
    void put_down(LoadConnection& connection, std::size_t kept);

    MonoTime intended_start() const;
    void begin_due(MonoTime now);
    void tick(MonoTime now);
    void tick(LoadConnection& connection, MonoTime now);
    void tell_progress(MonoTime now);
    void give_up();

    const LoadOptions& options_;
    const std::function<void(const LoadProgress&)>& progress_;
    Env& env_;
    const SocketAddress server_;
    const RequestWriter writer_;
    LoadPoller poller_;
    ClaimSource source_;
    LoadTally tally_;
    LoadHistory history_;
    std::minstd_rand jitter_;

    std::vector<LoadConnection> connections_;
    std::vector<std::uint32_t> idle_;  ///< in an open loop; some may be busy again
    std::size_t in_hand_ = 0;          ///< connections with claims
    bool source_dry_ = false;
    std::optional<MonoTime> begun_;
    std::uint64_t starts_ = 0;  ///< of an open loop's schedule
    MonoTime next_tick_{}, next_progress_{}, last_open_{}, last_answer_{}, over_at_ = kNever;
    std::optional<Error> failure_;
    const std::unique_ptr<std::array<char, 256 * 1024>> scratch_;
};

}  // namespace penstock::load
