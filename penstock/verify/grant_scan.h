#pragma once

#include <vector>

#include "penstock/verify/report.h"
#include "penstock/verify/tables.h"

namespace penstock::verify {

/// Reads each campaign's grants once, by user: their sum, their positions, what each user has. Owes
/// nothing to the log or the model.
class GrantScan {
public:
    GrantScan(Tables& tables, Report& report);
    Result<void> take(const StockRow& campaign);
    /// False: all ids seen were different. Sorts what it kept; ask once.
    bool ids_may_repeat();

private:
    struct Sums;
    void add(const StockRow& campaign, const Table& table, std::size_t row, Sums& sums);
    void end_user(const StockRow& campaign, const Sums& sums);

    Tables& tables_;
    Check& sums_;
    Check& gaps_;
    Check& limits_;
    std::uint64_t grants_ = 0, units_ = 0;
    std::vector<std::uint64_t> ids_;  ///< a hash of each
};

}  // namespace penstock::verify
