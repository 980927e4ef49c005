#include "penstock/store/mariadb/connection.h"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace penstock::mariadb {
namespace {

constexpr unsigned long kOldestVersion = 100'600;
// A session without a transaction may rest: a short default of the server is not for it.
constexpr int kRest_s = 86'400;
// Texts are written as the SQL of users expects: no ANSI_QUOTES, no NO_BACKSLASH_ESCAPES.
constexpr std::string_view kSqlMode =
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "NO_ENGINE_SUBSTITUTION";

std::int64_t whole_seconds(std::chrono::milliseconds time) {
    return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count());
}

std::string settings_sql(Role role, const SessionLimits& limits) {
    std::string sql = fmt::format(
        "SET SESSION autocommit = 1, sql_mode = '{0}', time_zone = '+00:00', "
        "foreign_key_checks = 1, unique_checks = 1, check_constraint_checks = 1, "
        "innodb_lock_wait_timeout = {1}, lock_wait_timeout = {1}, wait_timeout = {2}",
        kSqlMode, whole_seconds(limits.busy), kRest_s);
    if (role == Role::owner) {
        sql += fmt::format(
            ", idle_transaction_timeout = {0}, idle_write_transaction_timeout = {0}, "
            "idle_readonly_transaction_timeout = {0}",
            whole_seconds(limits.idle_transaction));
    }
    return sql;
}

}  // namespace

Connection::Connection(const MariadbOptions& options, const Endpoint& endpoint,
                       const SessionLimits& limits)
    : options_(options), endpoint_(endpoint), limits_(limits) {}

Result<void> Connection::open(Role role) {
    connection_.reset();
    Result<void> done = connect();
    if (done) done = check_server();
    if (done) done = configure(role);
    if (done) return {};
    connection_.reset();
    Error failure = std::move(done).error();
    failure.lost = Lost::session;
    return failure;
}

Result<void> Connection::connect() {
    connection_.reset(mysql_init(nullptr));
    MYSQL* const connection = connection_.get();
    PENSTOCK_CHECK(connection != nullptr);
    const auto connect_s = static_cast<unsigned>(options_.connect_time.count());
    const auto reply_s = static_cast<unsigned>(
        std::max<std::int64_t>(options_.reply_time.count(), 2 * whole_seconds(limits_.busy)));
    const unsigned protocol = MYSQL_PROTOCOL_TCP;  // "localhost" would mean a socket file
    const unsigned no_files = 0;
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(connection, MYSQL_OPT_READ_TIMEOUT, &reply_s);
    mysql_options(connection, MYSQL_OPT_WRITE_TIMEOUT, &reply_s);
    mysql_options(connection, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(connection, MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_options(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(connection, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "penstock");
    unsigned long flags = CLIENT_FOUND_ROWS;
#if PENSTOCK_FAILPOINTS
    if (!options_.found_rows) flags = 0;
#endif
    if (mysql_real_connect(connection, endpoint_.at.host.c_str(), endpoint_.at.user.c_str(),
                           endpoint_.at.password.value_or("").c_str(), endpoint_.database.c_str(),
                           endpoint_.at.port, nullptr, flags) == nullptr) {
        return cannot_connect();
    }
    watch_the_line();
    return {};
}

Error Connection::cannot_connect() const {
    const unsigned number = last_number();
    const char* const said = mysql_error(connection_.get());
    switch (number) {
        case ER_ACCESS_DENIED_ERROR:
        case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        case ER_DBACCESS_DENIED_ERROR:
            return error(Code::invalid,
                         fmt::format("MariaDB at {} refuses the account: {}; check user and "
                                     "password in the url, and the account's rights",
                                     endpoint_.place(), said));
        case ER_BAD_DB_ERROR:
            return error(Code::invalid,
                         fmt::format("MariaDB at {} has no database {}: CREATE DATABASE {} "
                                     "CHARACTER SET utf8mb4",
                                     endpoint_.place(), endpoint_.database, endpoint_.database));
        case ER_CON_COUNT_ERROR:
        case ER_TOO_MANY_USER_CONNECTIONS:
        case ER_USER_LIMIT_REACHED:
            return error(Code::overloaded,
                         fmt::format("MariaDB at {}: {}; raise max_connections or the account's "
                                     "limit",
                                     endpoint_.place(), said));
        default:
            return error(Code::unreachable,
                         fmt::format("cannot reach MariaDB at {}: {} (error {}); start the server "
                                     "or correct the url",
                                     endpoint_.place(), said, number));
    }
}

std::string Connection::about() const {
    return fmt::format("MariaDB {}; MariaDB Connector/C {}",
                       mysql_get_server_info(connection_.get()), mysql_get_client_info());
}

Result<void> Connection::check_server() const {
    MYSQL* const connection = connection_.get();
    const char* const version = mysql_get_server_info(connection);
    if (!mariadb_connection(connection)) {
        return error(Code::unsafe, fmt::format("the server at {} is not MariaDB but {}: only "
                                               "MariaDB was tested",
                                               endpoint_.place(), version));
    }
    if (mysql_get_server_version(connection) < kOldestVersion) {
        return error(Code::unsafe, fmt::format("MariaDB at {} is {}: 10.6 or newer is needed",
                                               endpoint_.place(), version));
    }
    return {};
}

Result<void> Connection::configure(Role role) {
    PENSTOCK_TRY(execute(settings_sql(role, limits_)));
    PENSTOCK_TRY(execute(role == Role::owner
                             ? "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
                             : "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
    const auto rows = query("SELECT @@max_allowed_packet, @@innodb_rollback_on_timeout");
    if (!rows) return rows.error();
    const std::string& packet = rows->at(0).at(0);
    std::from_chars(packet.data(), packet.data() + packet.size(), max_packet_);
    timeout_takes_all_ = rows->at(0).at(1) != "0";
    return {};
}

/// A server that is gone without a word is noticed while nothing is said, too.
void Connection::watch_the_line() {
    const int socket = mysql_get_socket(connection_.get());
    const int on = 1;
    const auto idle_s = static_cast<int>(whole_seconds(limits_.idle_transaction));
    const int between_s = std::max(1, idle_s / 3);
    const int tries = 3;
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof between_s);
    setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

bool Connection::in_transaction() const {
    unsigned status = 0;
    mariadb_get_infov(connection_.get(), MARIADB_CONNECTION_SERVER_STATUS, &status);
    return (status & SERVER_STATUS_IN_TRANS) != 0;
}

std::string_view Connection::info() const {
    const char* const text = mysql_info(connection_.get());
    return text == nullptr ? std::string_view() : std::string_view(text);
}

Result<void> Connection::execute(std::string_view sql) {
    const auto done = query(sql);
    if (!done) return done.error();
    return {};
}

Result<std::vector<std::vector<std::string>>> Connection::query(std::string_view sql) {
    MYSQL* const connection = connection_.get();
    if (mysql_real_query(connection, sql.data(), sql.size()) != 0) return error_of(sql);
    const std::unique_ptr<MYSQL_RES, FreeResult> result(mysql_store_result(connection));
    std::vector<std::vector<std::string>> rows;
    if (!result) {
        if (mysql_field_count(connection) != 0) return error_of(sql);
        return rows;
    }
    const unsigned columns = mysql_num_fields(result.get());
    while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
        const unsigned long* const lengths = mysql_fetch_lengths(result.get());
        auto& into = rows.emplace_back();
        for (unsigned i = 0; i < columns; ++i) {
            into.emplace_back(row[i] == nullptr ? "" : row[i], lengths[i]);
        }
    }
    return rows;
}

Result<std::string> Connection::query_text(std::string_view sql) {
    auto rows = query(sql);
    if (!rows) return rows.error();
    return rows->empty() ? std::string() : rows->front().front();
}

Result<Statement> Connection::prepare(std::string_view sql) {
    Statement statement(mysql_stmt_init(connection_.get()));
    PENSTOCK_CHECK(statement != nullptr);
    if (mysql_stmt_prepare(statement.get(), sql.data(), sql.size()) != 0) {
        return error_of(statement.get(), sql);
    }
    return statement;
}

Error Connection::error_of(std::string_view what) const {
    MYSQL* const connection = connection_.get();
    return statement_error(
        {mysql_errno(connection), mysql_sqlstate(connection), mysql_error(connection)}, what,
        timeout_takes_all_);
}

Error Connection::error_of(MYSQL_STMT* statement, std::string_view what) const {
    return statement_error(
        {mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement)},
        what, timeout_takes_all_);
}

std::string Connection::quoted(std::string_view text) const {
    std::string escaped(text.size() * 2 + 1, '\0');
    escaped.resize(
        mysql_real_escape_string(connection_.get(), escaped.data(), text.data(), text.size()));
    return "'" + escaped + "'";
}

Result<void> Connection::take_name(const std::string& name) {
    const auto taken = query_text(fmt::format("SELECT GET_LOCK({}, 0)", quoted(name)));
    if (!taken) return taken.error();
    if (*taken == "1") return {};
    return error(Code::io, "the server does not give a lock that nobody can hold");
}

Result<void> Connection::end_named(std::string_view name) {
    const auto holder = query_text(fmt::format("SELECT IS_USED_LOCK({})", quoted(name)));
    if (!holder) return holder.error();
    if (holder->empty()) return {};
    auto ended = execute("KILL CONNECTION " + *holder);
    if (!ended && last_number() == ER_NO_SUCH_THREAD) return {};
    return ended;
}

}  // namespace penstock::mariadb
