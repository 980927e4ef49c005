#include "penstock/store/mariadb/settings.h"

#include <fmt/format.h>

namespace penstock::mariadb {
namespace {

Error unsafe(std::string_view name, std::string_view is, std::string_view wanted,
             std::string_view why) {
    return error(Code::unsafe, fmt::format("the server has {} = {}: {}; set {} = {}", name, is, why,
                                           name, wanted));
}

}  // namespace

Result<void> check_settings(Connection& connection) {
    const auto rows = connection.query(
        "SELECT @@innodb_flush_log_at_trx_commit, @@innodb_flush_method, @@log_bin, @@sync_binlog");
    if (!rows) return rows.error();
    const auto& row = rows->at(0);
    if (row[0] != "1") {
        return unsafe("innodb_flush_log_at_trx_commit", row[0], "1",
                      "commits of the last second would be lost with the power");
    }
    if (row[1] == "nosync" || row[1] == "littlesync") {
        return unsafe("innodb_flush_method", row[1], "O_DIRECT",
                      "the log would not be flushed to the disk");
    }
    // With a binary log, recovery undoes what InnoDB has and the binary log has not.
    if (row[2] != "0" && row[3] != "1") {
        return unsafe("sync_binlog", row[3], "1",
                      "commits that the binary log has not on disk would be undone after a power "
                      "cut");
    }
    return {};
}

}  // namespace penstock::mariadb
