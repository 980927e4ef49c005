#include "penstock/store/postgres/sqlstate.h"

#include <fmt/format.h>

namespace penstock::postgres {
namespace {

std::string_view field(const PGresult* answer, int code) {
    const char* text = PQresultErrorField(answer, code);
    return text == nullptr ? std::string_view() : text;
}

Error taking(Lost lost, Code code) {
    return Error{code, Effect::none, lost, {}};
}

/// Plans of prepared statements that a change of the tables has made useless.
bool is_stale_plan(const PGresult* failed, std::string_view sqlstate) {
    return sqlstate == "0A000" && field(failed, PG_DIAG_SOURCE_FUNCTION) == "RevalidateCachedQuery";
}

}  // namespace

Error classify(std::string_view state, bool ends_session) {
    const std::string_view group = state.substr(0, 2);
    if (state == "XX001" || state == "XX002") return taking(Lost::session, Code::damaged);
    if (state == "53300") return taking(Lost::session, Code::overloaded);
    // 25P03: the server's limit on idle transactions; 57P01 to 57P05: it stops, or stopped us;
    // 26000: somebody between us and the server gave us another session.
    if (ends_session || group == "08" || state == "25P03" || state == "26000" ||
        state.substr(0, 4) == "57P0") {
        return taking(Lost::session, Code::unreachable);
    }
    if (group == "23") return taking(Lost::statement, Code::constraint);
    if (group == "40" || state == "55P03" || state == "25P02") {
        return taking(Lost::transaction, Code::conflict);
    }
    if (state == "53100") return taking(Lost::transaction, Code::no_space);
    if (group == "53" || state == "57014") return taking(Lost::transaction, Code::overloaded);
    if (state == "25006") return taking(Lost::transaction, Code::read_only);
    if (group == "54" || state == "22001") return taking(Lost::statement, Code::too_large);
    if (state == "42501") return taking(Lost::statement, Code::unsafe);
    if (group == "58" || group == "XX" || group == "F0") {
        return taking(Lost::transaction, Code::io);
    }
    return taking(Lost::statement, Code::invalid);
}

bool ends_session(const PGresult* failed) {
    const std::string_view severity = field(failed, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity == "FATAL" || severity == "PANIC";
}

Error error_of(const PGresult* failed, std::string_view what) {
    const std::string_view state = field(failed, PG_DIAG_SQLSTATE);
    Error error = classify(state, ends_session(failed));
    if (is_stale_plan(failed, state)) error = taking(Lost::session, Code::unreachable);
    std::string said = one_line(field(failed, PG_DIAG_MESSAGE_PRIMARY));
    if (said.empty()) said = one_line(PQresultErrorMessage(failed));
    error.text = fmt::format("{}: {} (PostgreSQL {})", what, said, state.empty() ? "?" : state);
    return error;
}

std::string one_line(std::string_view message) {
    std::string line;
    for (const char c : message) {
        const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
        if (!blank) line += c;
        if (blank && !line.empty() && line.back() != ' ') line += ' ';
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

}  // namespace penstock::postgres
