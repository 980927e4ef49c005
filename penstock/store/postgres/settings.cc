#include "penstock/store/postgres/settings.h"

#include <fmt/format.h>

#include <array>

#include "penstock/store/postgres/sqlstate.h"

namespace penstock::postgres {
namespace {

using std::chrono::milliseconds;

constexpr int kOldestServer = 120'000;
constexpr int kChecksClients = 140'000;  // client_connection_check_interval came with 14

/// A setting that an owner's commits rest on, and the value that breaks them.
struct Setting {
    const char* name;
    const char* broken;
    const char* why;
};
constexpr std::array<Setting, 6> kSettings = {{
    {"synchronous_commit", "off", "a commit would be answered before it is on disk"},
    {"fsync", "off", "a power cut would lose commits"},
    {"full_page_writes", "off", "a power cut would tear pages"},
    {"data_sync_retry", "on", "a failed sync would pass as done when it is tried again"},
    {"zero_damaged_pages", "on", "damaged rows would vanish without a word"},
    {"ignore_checksum_failure", "on", "damaged rows would be served"},
}};

std::string limits_query(int server, const SessionLimits& limits, milliseconds reply_time) {
    std::string sql = "SELECT ";
    const auto set = [&](const char* name, long long value) {
        sql += fmt::format("{}set_config('{}', '{}', false)", sql.back() == ' ' ? "" : ", ", name,
                           value);
    };
    const auto idle = limits.idle_transaction.count();
    set("idle_in_transaction_session_timeout", idle);
    set("lock_timeout", std::max<long long>(1, limits.busy.count()));
    // The server gives a statement up before we give the server up.
    set("statement_timeout", reply_time.count() * 3 / 4);
    // Ours vanished: what it holds must not outlive the limit on idle transactions.
    set("tcp_user_timeout", idle);
    set("tcp_keepalives_idle", std::max<long long>(1, idle / 4000));
    set("tcp_keepalives_interval", std::max<long long>(1, idle / 4000));
    set("tcp_keepalives_count", 2);
    // Statements here are short; compiling them takes longer than they do.
    set("jit", 0);
    if (server >= kChecksClients) {
        sql += fmt::format(
            ", set_config('client_connection_check_interval', "
            "CASE WHEN version() LIKE '%linux%' THEN '{}' ELSE '0' END, false)",
            idle);
    }
    return sql;
}

std::string facts_query() {
    std::string sql =
        "SELECT pg_is_in_recovery()::text, pg_backend_pid() || '@' || "
        "(SELECT (extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_stat_activity "
        "WHERE pid = pg_backend_pid())";
    for (const Setting& setting : kSettings) {
        sql += fmt::format(", current_setting('{}')", setting.name);
    }
    return sql;
}

Result<void> check_build(PGconn* connection) {
    const int version = PQserverVersion(connection);
    if (version < kOldestServer) {
        return error(Code::unsafe, fmt::format("the server is PostgreSQL {} (server_version): 12 "
                                               "or newer is needed",
                                               version / 10'000));
    }
    const char* encoding = PQparameterStatus(connection, "server_encoding");
    if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
        return error(Code::unsafe, fmt::format("the database's server_encoding is {}: make it with "
                                               "ENCODING 'UTF8'",
                                               encoding == nullptr ? "unknown" : encoding));
    }
    return {};
}

Result<void> check_durable(const PGresult* facts) {
    if (std::string_view(PQgetvalue(facts, 0, 0)) == "true") {
        return error(Code::read_only,
                     "the server is a standby: give the url of the primary, or "
                     "several hosts with target_session_attrs=read-write");
    }
    for (std::size_t i = 0; i < kSettings.size(); ++i) {
        const Setting& setting = kSettings[i];
        if (std::string_view(PQgetvalue(facts, 0, static_cast<int>(2 + i))) != setting.broken) {
            continue;
        }
        return error(Code::unsafe, fmt::format("the server has {} = {}: {}; set it otherwise",
                                               setting.name, setting.broken, setting.why));
    }
    return {};
}

}  // namespace

Result<std::string> configure(Connection& connection, Role role, const SessionLimits& limits) {
    PENSTOCK_TRY(check_build(connection.get()));
    const std::string set =
        limits_query(PQserverVersion(connection.get()), limits, connection.reply_time());
    connection.ask(set.c_str());
    connection.ask(facts_query().c_str());
    PENSTOCK_TRY(connection.trip());
    for (const Answer& each : connection.answers()) {
        if (!succeeded(each)) return error_of(each.get(), "cannot set up a session");
    }
    PENSTOCK_CHECK(connection.answers().size() == 2);
    const PGresult* facts = connection.answers()[1].get();
    if (role == Role::owner) PENSTOCK_TRY(check_durable(facts));
    return std::string(PQgetvalue(facts, 0, 1), static_cast<std::size_t>(PQgetlength(facts, 0, 1)));
}

}  // namespace penstock::postgres
