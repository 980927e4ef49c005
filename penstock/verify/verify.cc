#include "penstock/verify/verify.h"

#include "penstock/verify/totals.h"

namespace penstock::verify {
namespace {

Result<Verdict> verify_snapshot(const VerifyInput& input, const std::vector<GateCounts>& before) {
    Report report;
    Tables tables(input.reader);
    Replay replay(input, tables, report);
    PENSTOCK_TRY(replay.run());
    PENSTOCK_TRY(check_totals(input, tables, replay, report));
    if (input.gate) {
        const auto after = input.gate();
        if (!after) return after.error();
        PENSTOCK_TRY(check_gate(before, *after, tables, replay, report));
    }
    if (input.history != nullptr) {
        PENSTOCK_TRY(check_history(*input.history, tables, replay, report));
    }
    return report.take();
}

}  // namespace

Result<Verdict> verify(const VerifyInput& input) {
    std::vector<GateCounts> before;
    if (input.gate) {
        auto counts = input.gate();
        if (!counts) return std::move(counts).error();
        before = std::move(counts).value();
    }
    PENSTOCK_TRY(input.reader.begin());
    auto verdict = verify_snapshot(input, before);
    input.reader.rollback();
    return verdict;
}

}  // namespace penstock::verify
