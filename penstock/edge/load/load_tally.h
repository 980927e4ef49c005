#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "penstock/edge/load/load.h"
#include "penstock/edge/load/load_answer.h"
#include "penstock/edge/load/load_claims.h"

namespace penstock::load {

enum class Meaning : std::uint8_t { granted, refused, undecided };

/// Undecided: in line (202), not done but may be tried again (408, 429, 5xx), unknown (504), lost
/// (0).
Meaning meaning_of(const ClaimAnswer& answer);

/// Counts what was told, and compares what repeats are told. Threads: one.
class LoadTally {
public:
    /// One attempt of one claim.
    Meaning take(const Claim& claim, const ClaimAnswer& answer);

    LoadReport report;

    /// Puts the counts by status and code into the report.
    void finish();

private:
    void count(const ClaimAnswer& answer);
    void take_repeat(const Claim& claim, const ClaimAnswer& answer, Meaning meaning);

    std::array<std::uint64_t, 1000> statuses_{};
    std::vector<std::pair<std::string, std::uint64_t>> codes_;
    /// Refused at first by the gate, granted when they were repeated.
    std::unordered_set<std::string> granted_later_;
};

}  // namespace penstock::load
