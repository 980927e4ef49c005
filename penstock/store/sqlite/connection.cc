#include "penstock/store/sqlite/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace penstock::sqlite {
namespace {

using std::chrono::microseconds;

// A writer holds the lock for about a commit (a third of a millisecond and up).
constexpr microseconds kFirstLockWait{50};
constexpr microseconds kLongestLockWait{5'000};

bool is_full(int number) {
    return number == ENOSPC || number == EDQUOT;
}

Code code_of(int result, int system_errno) {
    switch (result & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Code::conflict;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
            return Code::constraint;
        case SQLITE_FULL:
            return Code::no_space;
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return Code::read_only;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Code::damaged;
        case SQLITE_TOOBIG:
            return Code::too_large;
        case SQLITE_NOMEM:
            return Code::overloaded;
        case SQLITE_CANTOPEN:
            if (system_errno == ENOENT) return Code::not_found;
            if (system_errno == EACCES || system_errno == EROFS || system_errno == EPERM) {
                return Code::read_only;
            }
            return is_full(system_errno) ? Code::no_space : Code::io;
        case SQLITE_IOERR:
        case SQLITE_PROTOCOL:
            return is_full(system_errno) ? Code::no_space : Code::io;
        default:
            return Code::invalid;
    }
}

}  // namespace

Error error_of(sqlite3* database, int result, std::string_view what) {
    const int number = database == nullptr ? 0 : sqlite3_system_errno(database);
    const char* text = database == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database);
    return error(code_of(result, number),
                 fmt::format("{}: {} (SQLite error {})", what, text, result));
}

Connection::Connection(const SqliteOptions& options, Env& env, std::chrono::milliseconds busy)
    : options_(options), env_(env), busy_(busy), wake_(env.executor.make_wake()) {}

int Connection::wait_for_lock(void* self, int count) {
    auto& connection = *static_cast<Connection*>(self);
    const MonoTime now = connection.env_.clock.mono();
    if (count == 0) connection.give_up_ = now + connection.busy_;
    if (now >= connection.give_up_) return 0;
    const auto wait = std::min(kFirstLockWait * (1 << std::min(count, 10)), kLongestLockWait);
    connection.wake_->wait_until(std::min(now + MonoTime::duration(wait), connection.give_up_));
    return 1;
}

Result<void> Connection::open(Role role) {
    database_.reset();
    sqlite3* opened = nullptr;
    const int access =
        options_.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int result = sqlite3_open_v2(options_.path.c_str(), &opened,
                                       access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                       options_.vfs.empty() ? nullptr : options_.vfs.c_str());
    database_.reset(opened);
    Result<void> done;
    if (result != SQLITE_OK) {
        done = error_of(opened, result, fmt::format("cannot open the store {}", options_.path));
    } else {
        done = configure(role);
    }
    if (!done) database_.reset();
    return done;
}

Result<void> Connection::configure(Role role) {
    sqlite3* database = database_.get();
    sqlite3_busy_handler(database, &Connection::wait_for_lock, this);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    sqlite3_wal_autocheckpoint(database, 0);
    const auto cache = role == Role::owner ? options_.owner_cache_kib : options_.reader_cache_kib;
    const std::string settings = fmt::format(
        "PRAGMA locking_mode = NORMAL; PRAGMA synchronous = {}; PRAGMA temp_store = MEMORY; "
        "PRAGMA mmap_size = 0; PRAGMA cache_size = -{}",
        options_.durable ? "FULL" : "OFF", cache);
    PENSTOCK_TRY(execute(settings.c_str()));
    if (!options_.read_only) {
        const auto mode = query_text("PRAGMA journal_mode = WAL");
        if (!mode) return mode.error();
        if (*mode != "wal") {
            return error(Code::unsafe,
                         fmt::format("the store {} stays in journal_mode={}; WAL is needed: put it "
                                     "on a local file system with shared memory",
                                     options_.path, *mode));
        }
    }
    if (role == Role::reader) PENSTOCK_TRY(execute("PRAGMA query_only = 1"));
    return {};
}

void Connection::pause() {
    wake_->wait_until(env_.clock.mono() + kFirstLockWait);
}

Result<Statement> Connection::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int result = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result != SQLITE_OK) return error_of(database_.get(), result, sql);
    return Statement(statement);
}

Result<void> Connection::execute(const char* sql) {
    const int result = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) return error_of(database_.get(), result, sql);
    return {};
}

Result<std::string> Connection::query_text(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    const int result = sqlite3_step(statement->get());
    if (result == SQLITE_DONE) return std::string();
    if (result != SQLITE_ROW) return error_of(database_.get(), result, sql);
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement->get(), 0));
    return std::string(text == nullptr ? "" : text);
}

}  // namespace penstock::sqlite
