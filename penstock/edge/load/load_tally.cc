#include "penstock/edge/load/load_tally.h"

#include <fmt/format.h>

namespace penstock::load {
namespace {

constexpr std::size_t kMaxCodes = 100;

}  // namespace

Meaning meaning_of(const ClaimAnswer& answer) {
    if (answer.status == 200 || answer.status == 201) return Meaning::granted;
    if (answer.status >= 400 && answer.status < 500 && answer.status != 429 &&
        answer.status != 408) {
        return Meaning::refused;
    }
    // The handler failed: that is the id's outcome for ever.
    if (answer.status == 500 && problem_code(answer.body) == "failed") return Meaning::refused;
    return Meaning::undecided;
}

Meaning LoadTally::take(const Claim& claim, const ClaimAnswer& answer) {
    count(answer);
    if (answer.status != 0) ++report.answered;
    const Meaning meaning = meaning_of(answer);
    if (meaning == Meaning::undecided) {
        if (answer.status == 0) {
            ++report.broken;
        } else {
            ++(answer.status == 202 || answer.status == 504 ? report.waiting : report.unavailable);
        }
    } else if (claim.repeat) {
        take_repeat(claim, answer, meaning);
    } else {
        ++(meaning == Meaning::granted ? report.granted : report.refused);
    }
    return meaning;
}

void LoadTally::take_repeat(const Claim& claim, const ClaimAnswer& answer, Meaning meaning) {
    ++report.repeated;
    if (claim.expected.empty()) {
        if (meaning != Meaning::granted) return;
        if (!granted_later_.emplace(claim.id_text()).second) return;
        ++report.granted;
        --report.refused;
    } else if (answer.status != 200 || answer.members != claim.expected) {
        ++report.mismatches;
        if (!report.first_mismatch.empty()) return;
        report.first_mismatch =
            fmt::format("{} was granted with {} and was then told {} {}", claim.id_text(),
                        claim.expected, answer.status, answer.body);
    }
}

void LoadTally::count(const ClaimAnswer& answer) {
    ++statuses_[static_cast<std::size_t>(answer.status) % statuses_.size()];
    if (answer.status < 400) return;
    const std::string_view code = problem_code(answer.body);
    for (auto& [name, n] : codes_) {
        if (name == code) return void(++n);
    }
    if (codes_.size() < kMaxCodes) codes_.emplace_back(code, 1);
}

void LoadTally::finish() {
    for (std::size_t status = 0; status < statuses_.size(); ++status) {
        if (statuses_[status] > 0) report.statuses[static_cast<int>(status)] = statuses_[status];
    }
    for (const auto& [code, n] : codes_) report.codes[code.empty() ? "(none)" : code] = n;
}

}  // namespace penstock::load
