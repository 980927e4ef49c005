#include "penstock/store/mariadb/schema.h"

#include <fmt/format.h>
#include <mysqld_error.h>

#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "penstock/store/schema_steps.h"

namespace penstock::mariadb {
namespace {

constexpr int kLockWait_s = 20;
constexpr std::string_view kMark = "penstock";
constexpr std::string_view kOptions =
    "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";

struct Progress {
    std::uint32_t version = 0;
    std::uint32_t step = 0;  ///< begun, of the next version; 0: none
};

std::uint32_t number(const std::string& text) {
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string mark_of(const Migration& migration) {
    return fmt::format("{} {} {}", kMark, migration.component, migration.version);
}

bool changes_rows(std::string_view sql) {
    const std::size_t begin = sql.find_first_not_of(" \n\t\r");
    std::string verb(sql.substr(std::min(begin, sql.size()), 6));
    for (char& c : verb) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return verb == "INSERT" || verb == "UPDATE" || verb == "DELETE";
}

/// What a statement that was run before says when it is run again. Dropping is done when nothing is
/// there to drop.
bool says_done(unsigned number) {
    switch (number) {
        case ER_TABLE_EXISTS_ERROR:
        case ER_DUP_FIELDNAME:
        case ER_DUP_KEYNAME:
        case ER_BAD_TABLE_ERROR:
        case ER_CANT_DROP_FIELD_OR_KEY:
            return true;
        default:
            return false;
    }
}

class Migrator {
public:
    Migrator(Connection& connection, const Endpoint& endpoint)
        : connection_(connection), endpoint_(endpoint) {}

    Result<void> run(std::span<const Migration> migrations) {
        const SchemaVersions known = last_versions(migrations);
        const auto table = comment_of(kSchemaTable);
        if (!table) return table.error();
        if (*table && **table != kMark) return foreign_table(kSchemaTable);
        if (*table) PENSTOCK_TRY(read());
        SchemaVersions present;
        for (const auto& [component, progress] : progress_) present[component] = progress.version;
        PENSTOCK_TRY(check_not_newer(present, known));
        for (const Migration& migration : migrations) {
            if (is_missing(migration)) PENSTOCK_TRY(check_foreign(migration));
        }
        if (!*table) PENSTOCK_TRY(make_table());
        for (const Migration& migration : migrations) {
            if (is_missing(migration)) PENSTOCK_TRY(apply(migration));
        }
        return {};
    }

private:
    bool is_missing(const Migration& migration) {
        return migration.version > progress_[migration.component].version;
    }
    /// The statement, from 1, of this migration that an earlier run has begun; 0: none.
    std::uint32_t begun(const Migration& migration) {
        const Progress& progress = progress_[migration.component];
        return migration.version == progress.version + 1 ? progress.step : 0;
    }

    /// Its comment; none: no such table or view.
    Result<std::optional<std::string>> comment_of(std::string_view table) {
        const auto rows = connection_.query(
            fmt::format("SELECT table_comment FROM information_schema.tables WHERE table_schema = "
                        "DATABASE() AND table_name = {}",
                        connection_.quoted(table)));
        if (!rows) return rows.error();
        if (rows->empty()) return std::optional<std::string>{};
        return std::optional<std::string>(rows->front().front());
    }

    Result<void> make_table() {
        return ddl(
            fmt::format("CREATE TABLE {} (component VARCHAR(255) NOT NULL PRIMARY KEY, "
                        "version BIGINT NOT NULL, step BIGINT NOT NULL) {} COMMENT={}",
                        kSchemaTable, kOptions, connection_.quoted(kMark)));
    }

    Result<void> read() {
        const auto rows =
            connection_.query(fmt::format("SELECT component, version, step FROM {}", kSchemaTable));
        if (!rows) return denied_or(rows.error());
        for (const auto& row : *rows) progress_[row[0]] = {number(row[1]), number(row[2])};
        return {};
    }

    /// Before the first statement: a table of another's is found while nothing is done yet.
    Result<void> check_foreign(const Migration& migration) {
        const std::uint32_t begun_at = begun(migration);
        for (std::size_t i = 0; i < migration.statements.size(); ++i) {
            const std::string table = created_table(migration.statements[i]);
            if (table.empty() || i + 1 < begun_at) continue;
            const auto comment = comment_of(table);
            if (!comment) return comment.error();
            const bool may_be_ours = i + 1 == begun_at && *comment == mark_of(migration);
            if (*comment && !may_be_ours) return foreign_table(table);
        }
        return {};
    }

    Result<void> apply(const Migration& migration) {
        const std::uint32_t begun_at = begun(migration);
        for (std::uint32_t step = 1; step <= migration.statements.size(); ++step) {
            if (step < begun_at) continue;
            const std::string& sql = migration.statements[step - 1];
            PENSTOCK_TRY(changes_rows(sql) ? write(migration, step, sql)
                                           : define(migration, step, sql, step == begun_at));
        }
        PENSTOCK_TRY(note(migration, migration.version, 0));
        progress_[migration.component] = {migration.version, 0};
        return {};
    }

    /// Rows and the step behind them, in one transaction.
    Result<void> write(const Migration& migration, std::uint32_t step, const std::string& sql) {
        PENSTOCK_TRY(connection_.execute("START TRANSACTION"));
        auto done = connection_.execute(sql);
        if (done) done = note(migration, migration.version - 1, step + 1);
        if (done) return connection_.execute("COMMIT");
        if (const auto undone = connection_.execute("ROLLBACK"); !undone) return undone.error();
        return done;
    }

    Result<void> define(const Migration& migration, std::uint32_t step, const std::string& sql,
                        bool may_be_done) {
        PENSTOCK_TRY(note(migration, migration.version - 1, step));
        std::string text = sql;
        if (!created_table(sql).empty()) {
            while (text.ends_with(';') || text.ends_with(' ')) text.pop_back();
            text += fmt::format(" {} COMMENT={}", kOptions, connection_.quoted(mark_of(migration)));
        }
        auto done = ddl(text);
        if (!done && may_be_done && says_done(connection_.last_number())) return {};
        return done;
    }

    Result<void> note(const Migration& migration, std::uint32_t version, std::uint32_t step) {
        const auto done = connection_.execute(
            fmt::format("INSERT INTO {0} (component, version, step) VALUES ({1}, {2}, {3}) "
                        "ON DUPLICATE KEY UPDATE version = {2}, step = {3}",
                        kSchemaTable, connection_.quoted(migration.component), version, step));
        if (!done) return denied_or(done.error());
        return {};
    }

    Result<void> ddl(const std::string& sql) {
        const auto done = connection_.execute(sql);
        if (!done) return denied_or(done.error());
        return {};
    }

    Error denied_or(Error failure) {
        if (is_denied(connection_.last_number())) {
            failure.code = Code::invalid;
            failure.text += fmt::format(
                "; the account needs more rights: GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, "
                "ALTER, DROP, INDEX ON {}.* TO '{}'",
                endpoint_.database, endpoint_.at.user);
        }
        return failure;
    }

    Connection& connection_;
    const Endpoint& endpoint_;
    std::map<std::string, Progress> progress_;
};

}  // namespace

Result<void> migrate(Connection& connection, const Endpoint& endpoint,
                     std::span<const Migration> migrations) {
    const auto locked = connection.query_text(
        fmt::format("SELECT GET_LOCK(CONCAT('penstock ', MD5(DATABASE())), {})", kLockWait_s));
    if (!locked) return locked.error();
    if (*locked != "1") {
        return error(Code::in_use,
                     fmt::format("another process has been changing the tables of {} for {} s: "
                                 "try again when it is done",
                                 endpoint.place(), kLockWait_s));
    }
    return Migrator(connection, endpoint).run(migrations);  // the lock goes with the connection
}

}  // namespace penstock::mariadb
