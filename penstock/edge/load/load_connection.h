#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/edge/load/load_claims.h"
#include "penstock/edge/load/load_poller.h"

namespace penstock::load {

/// A virtual user: a connection and the claims in hand. Threads: one.
struct LoadConnection {
    enum class State : std::uint8_t {
        closed,      ///< connects at `at`
        connecting,  ///< gives up at `at`
        idle,
        busy,     ///< waits for an answer, at most until `at`
        pausing,  ///< sends its claims again at `at`
    };

    Descriptor socket;
    State state = State::closed;
    MonoTime at{};
    MonoTime start{};            ///< when the claims in hand began, for their latency
    std::vector<Claim> claims;   ///< in hand: not answered yet
    std::uint32_t failures = 0;  ///< in a row, for the back-off

    std::string request;
    std::size_t sent = 0;  ///< bytes of the request
    std::string input;     ///< the begin of an answer whose rest is not here yet

    bool is_open() const { return state >= State::idle && socket; }
    /// As much of the request as the socket takes. False: the connection is broken.
    bool send_more();
};

}  // namespace penstock::load
