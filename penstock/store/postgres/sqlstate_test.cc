#include "penstock/store/postgres/sqlstate.h"

#include <gtest/gtest.h>

namespace penstock::postgres {
namespace {

struct Case {
    const char* state;
    Code code;
    Lost lost;
};

TEST(PostgresSqlState, SaysWhatToDoAndWhatWasLost) {
    const Case cases[] = {
        {"23505", Code::constraint, Lost::statement},    // unique
        {"23514", Code::constraint, Lost::statement},    // check
        {"40001", Code::conflict, Lost::transaction},    // serialization
        {"40P01", Code::conflict, Lost::transaction},    // deadlock
        {"55P03", Code::conflict, Lost::transaction},    // lock_timeout
        {"25P02", Code::conflict, Lost::transaction},    // in a failed transaction
        {"57014", Code::overloaded, Lost::transaction},  // statement_timeout
        {"53200", Code::overloaded, Lost::transaction},  // memory
        {"53100", Code::no_space, Lost::transaction},
        {"25006", Code::read_only, Lost::transaction},
        {"54000", Code::too_large, Lost::statement},
        {"22001", Code::too_large, Lost::statement},
        {"22021", Code::invalid, Lost::statement},  // not UTF-8
        {"22003", Code::invalid, Lost::statement},
        {"42601", Code::invalid, Lost::statement},
        {"42P01", Code::invalid, Lost::statement},
        {"42501", Code::unsafe, Lost::statement},
        {"58030", Code::io, Lost::transaction},
        {"XX000", Code::io, Lost::transaction},
        {"XX001", Code::damaged, Lost::session},
        {"25P03", Code::unreachable, Lost::session},  // idle_in_transaction_session_timeout
        {"57P01", Code::unreachable, Lost::session},
        {"57P03", Code::unreachable, Lost::session},  // starting up
        {"08006", Code::unreachable, Lost::session},
        {"26000", Code::unreachable, Lost::session},
        {"53300", Code::overloaded, Lost::session},
    };
    for (const Case& each : cases) {
        const Error error = classify(each.state, false);
        EXPECT_EQ(error.code, each.code) << each.state;
        EXPECT_EQ(error.lost, each.lost) << each.state;
        EXPECT_EQ(error.effect, Effect::none) << each.state;
    }
    EXPECT_EQ(classify("42601", true).lost, Lost::session);  // FATAL, whatever it is
    EXPECT_EQ(classify("", false).code, Code::invalid);
}

TEST(PostgresSqlState, MessagesStandOnOneLine) {
    EXPECT_EQ(one_line("  connection refused\n\tIs it there?\n"),
              "connection refused Is it there?");
}

}  // namespace
}  // namespace penstock::postgres
