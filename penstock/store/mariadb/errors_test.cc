#include "penstock/store/mariadb/errors.h"

#include <gtest/gtest.h>

namespace penstock::mariadb {
namespace {

struct Case {
    unsigned number;
    const char* sqlstate;
    const char* text;
    Code code;
    Lost lost;
};

// Numbers and states as MariaDB 10.11 sends them.
const Case kCases[] = {
    {1062, "23000", "Duplicate entry", Code::constraint, Lost::statement},
    {4025, "23000", "CONSTRAINT failed", Code::constraint, Lost::statement},
    {1452, "23000", "a foreign key constraint fails", Code::constraint, Lost::statement},
    {1048, "23000", "Column cannot be null", Code::constraint, Lost::statement},
    {1264, "22003", "Out of range value", Code::constraint, Lost::statement},
    {1265, "01000", "Data truncated", Code::constraint, Lost::statement},
    {1364, "HY000", "doesn't have a default value", Code::constraint, Lost::statement},
    {1366, "22007", "Incorrect string value", Code::constraint, Lost::statement},
    {1406, "22001", "Data too long", Code::too_large, Lost::statement},
    {1064, "42000", "You have an error in your SQL syntax", Code::invalid, Lost::statement},
    {1146, "42S02", "Table doesn't exist", Code::invalid, Lost::statement},
    {1295, "HY000", "not supported in the prepared statement protocol", Code::invalid,
     Lost::statement},
    {1792, "25006", "Cannot execute statement in a READ ONLY transaction", Code::read_only,
     Lost::statement},
    {1205, "HY000", "Lock wait timeout exceeded", Code::conflict, Lost::statement},
    {1213, "40001", "Deadlock found", Code::conflict, Lost::transaction},
    {1206, "HY000", "The total number of locks exceeds the lock table size", Code::conflict,
     Lost::transaction},
    {1020, "HY000", "Record has changed since last read", Code::conflict, Lost::transaction},
    {1317, "70100", "Query execution was interrupted", Code::conflict, Lost::transaction},
    {1290, "HY000", "running with the --read-only option", Code::read_only, Lost::transaction},
    {1142, "42000", "INSERT command denied", Code::read_only, Lost::transaction},
    {1021, "HY000", "Disk full", Code::no_space, Lost::transaction},
    {1114, "HY000", "The table is full", Code::no_space, Lost::transaction},
    {1030, "HY000", "Got error 28 \"No space left on device\"", Code::no_space, Lost::transaction},
    {1030, "HY000", "Got error 122 \"Internal\"", Code::io, Lost::transaction},
    {1105, "HY000", "Unknown error", Code::io, Lost::transaction},
    {2006, "HY000", "Server has gone away", Code::unreachable, Lost::session},
    {2013, "HY000", "Lost connection", Code::unreachable, Lost::session},
    {1927, "70100", "Connection was killed", Code::unreachable, Lost::session},
    {1053, "08S01", "Server shutdown in progress", Code::unreachable, Lost::session},
    {1153, "08S01", "Got a packet bigger than max_allowed_packet", Code::too_large, Lost::session},
    {4031, "08S01", "disconnected by the server because of inactivity", Code::unreachable,
     Lost::session},
};

TEST(MariadbErrors, SayWhatToDoAndHowMuchIsLost) {
    for (const Case& each : kCases) {
        SCOPED_TRACE(each.number);
        const Error failure =
            statement_error({each.number, each.sqlstate, each.text}, "a statement failed", false);
        EXPECT_STREQ(to_string(failure.code), to_string(each.code));
        EXPECT_EQ(failure.lost, each.lost);
        EXPECT_EQ(failure.effect, Effect::none);
        EXPECT_NE(failure.text.find(each.text), std::string::npos);
    }
}

TEST(MariadbErrors, ATimeoutTakesAllWhereTheServerIsSetSo) {
    EXPECT_EQ(statement_error({1205, "HY000", "Lock wait"}, "", true).lost, Lost::transaction);
}

}  // namespace
}  // namespace penstock::mariadb
