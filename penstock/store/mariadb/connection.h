#pragma once

#include <mysql.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/store/mariadb/endpoint.h"
#include "penstock/store/mariadb/errors.h"
#include "penstock/store/mariadb/mariadb_store.h"

/// The C library behind types that close themselves. Internal to this folder.
namespace penstock::mariadb {

struct CloseConnection {
    void operator()(MYSQL* connection) const { mysql_close(connection); }
};
struct CloseStatement {
    void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
};
struct FreeResult {
    void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};
using Statement = std::unique_ptr<MYSQL_STMT, CloseStatement>;

/// One connection with our settings. Threads: one.
class Connection {
public:
    Connection(const MariadbOptions& options, const Endpoint& endpoint,
               const SessionLimits& limits);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Opens (again). Statements of an earlier opening must be gone.
    Result<void> open(Role role);
    void close() { connection_.reset(); }
    bool is_open() const { return connection_ != nullptr; }

    std::string about() const;  ///< of server and library
    /// As the server said last. It does not tell of a transaction that was rolled back and
    /// replaced by a new one, as after a deadlock: statement_error() does.
    bool in_transaction() const;
    /// Asks the server: false if the connection is gone. in_transaction() is fresh after it.
    bool ping() { return mysql_ping(connection_.get()) == 0; }
    /// "Records: 3  Duplicates: 1  Warnings: 0" of the last statement; may be empty.
    std::string_view info() const;
    std::size_t max_packet() const { return max_packet_; }
    bool timeout_takes_all() const { return timeout_takes_all_; }

    Result<void> execute(std::string_view sql);  ///< trusted text of ours
    /// Rows as texts; NULL is empty.
    Result<std::vector<std::vector<std::string>>> query(std::string_view sql);
    Result<std::string> query_text(std::string_view sql);  ///< first cell; empty without a row
    Result<Statement> prepare(std::string_view sql);

    /// What the last call, or this statement's last call, said.
    Error error_of(std::string_view what) const;
    Error error_of(MYSQL_STMT* statement, std::string_view what) const;
    unsigned last_number() const { return mysql_errno(connection_.get()); }
    std::string quoted(std::string_view text) const;  ///< 'text' for SQL of ours

    /// Takes a name that no other connection ever had, nor one of the server before a restart (its
    /// own numbers begin anew there): a lock that is held as long as the connection lives.
    Result<void> take_name(const std::string& name);
    /// Ends the connection with this name; ok if there is none.
    Result<void> end_named(std::string_view name);

private:
    Result<void> connect();
    Error cannot_connect() const;
    Result<void> check_server() const;
    Result<void> configure(Role role);
    void watch_the_line();

    const MariadbOptions& options_;
    const Endpoint& endpoint_;
    const SessionLimits limits_;
    std::unique_ptr<MYSQL, CloseConnection> connection_;
    std::size_t max_packet_ = 0;
    bool timeout_takes_all_ = false;
};

}  // namespace penstock::mariadb
