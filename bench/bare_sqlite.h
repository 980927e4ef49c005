#pragma once

#include <cstddef>
#include <string>

namespace penstock::bench {

/// The ceiling of the sale in one process: a loop without Penstock that writes the same rows of
/// `grants` claims to a new SQLite file (WAL, synchronous=FULL): per claim a processed row and a
/// grant row, per transaction one stock update and one owner update. Returns seconds.
double bare_sale(const std::string& path, std::size_t grants, std::size_t per_transaction);

}  // namespace penstock::bench
