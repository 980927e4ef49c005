#include "penstock/store/sqlite/sqlite_session.h"

#include <fmt/format.h>

#include "penstock/store/statement_text.h"

namespace penstock::sqlite {
namespace {

// A restart of the WAL takes a few milliseconds; a writer waits no longer for one that hangs.
constexpr int kMostPauses = 400;

constexpr std::string_view kInsert = "INSERT";
constexpr std::size_t kWideRows = 16;
constexpr std::size_t kMostParameters = 32'766;  // SQLITE_LIMIT_VARIABLE_NUMBER as it is built

/// Resets a statement whatever happened, so that it holds neither locks nor borrowed values.
class Reset {
public:
    explicit Reset(const Statement& statement) : statement_(statement.get()) {}
    ~Reset() { sqlite3_reset(statement_); }
    Reset(const Reset&) = delete;
    Reset& operator=(const Reset&) = delete;

private:
    sqlite3_stmt* const statement_;
};

/// A chain of ifs, which the compiler inlines: std::visit() goes through a table of functions, for
/// each of a million values a second.
int bind_one(sqlite3_stmt* statement, int at, const Value& value) {
    // A null pointer would bind NULL instead of an empty text or blob.
    static constexpr char kEmpty[1] = "";
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return sqlite3_bind_int64(statement, at, *number);
    }
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        return sqlite3_bind_text64(statement, at, text->empty() ? kEmpty : text->data(),
                                   text->size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    if (const auto* bytes = std::get_if<Bytes>(&value)) {
        const void* data = bytes->empty() ? static_cast<const void*>(kEmpty) : bytes->data();
        return sqlite3_bind_blob64(statement, at, data, bytes->size(), SQLITE_STATIC);
    }
    if (const auto* real = std::get_if<double>(&value)) {
        return sqlite3_bind_double(statement, at, *real);
    }
    return sqlite3_bind_null(statement, at);
}

void name_columns(sqlite3_stmt* statement, Table& table) {
    std::vector<std::string> names;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        names.emplace_back(sqlite3_column_name(statement, i));
    }
    table.set_names(std::move(names));
}

void add_row(sqlite3_stmt* statement, Table& table) {
    const int columns = sqlite3_column_count(statement);
    for (int i = 0; i < columns; ++i) {
        const auto size = [&] {
            return static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
        };
        switch (sqlite3_column_type(statement, i)) {
            case SQLITE_INTEGER:
                table.add(std::int64_t{sqlite3_column_int64(statement, i)});
                break;
            case SQLITE_FLOAT:
                table.add(sqlite3_column_double(statement, i));
                break;
            case SQLITE_TEXT: {
                const auto* text = sqlite3_column_text(statement, i);
                table.add_text({reinterpret_cast<const char*>(text), size()});
                break;
            }
            case SQLITE_BLOB: {
                const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement, i));
                table.add_blob({data, size()});
                break;
            }
            default:
                table.add_null();
        }
    }
}

}  // namespace

SqliteSession::SqliteSession(const SqliteOptions& options, Env& env, Role role,
                             const SessionLimits& limits, Checkpointer* checkpointer)
    : role_(role), checkpointer_(checkpointer), connection_(options, env, limits.busy) {}

int SqliteSession::authorize(void* self, int action, const char*, const char*, const char*,
                             const char*) {
    if (!static_cast<SqliteSession*>(self)->checking_) return SQLITE_OK;
    switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_INSERT:
        case SQLITE_UPDATE:
        case SQLITE_DELETE:
        case SQLITE_FUNCTION:
        case SQLITE_RECURSIVE:
            return SQLITE_OK;
        default:
            return SQLITE_DENY;
    }
}

int SqliteSession::after_commit(void* self, sqlite3*, const char*, int wal_pages) {
    auto* const session = static_cast<SqliteSession*>(self);
    session->checkpointer_->committed(static_cast<std::uint32_t>(wal_pages));
    return SQLITE_OK;
}

Result<void> SqliteSession::open() {
    PENSTOCK_TRY(connection_.open(role_));
    // Set once: every change of the authorizer makes SQLite compile all statements anew.
    sqlite3_set_authorizer(connection_.get(), &SqliteSession::authorize, this);
    if (checkpointer_ != nullptr) {
        sqlite3_wal_hook(connection_.get(), &SqliteSession::after_commit, this);
    }
    return prepare_own();
}

Result<void> SqliteSession::prepare_own() {
    const auto set = [this](Statement& into, std::string_view sql) -> Result<void> {
        auto statement = connection_.prepare(sql);
        if (!statement) return statement.error();
        into = *std::move(statement);
        return {};
    };
    PENSTOCK_TRY(set(begin_, role_ == Role::owner ? "BEGIN IMMEDIATE" : "BEGIN"));
    // The first read fixes the snapshot; BEGIN alone does not.
    PENSTOCK_TRY(set(snapshot_, "SELECT 1 FROM sqlite_schema LIMIT 1"));
    PENSTOCK_TRY(set(commit_, "COMMIT"));
    PENSTOCK_TRY(set(rollback_, "ROLLBACK"));
    PENSTOCK_TRY(set(savepoint_sql_, "SAVEPOINT penstock"));
    PENSTOCK_TRY(set(rollback_to_, "ROLLBACK TO penstock"));
    return set(release_, "RELEASE penstock");
}

Result<StatementId> SqliteSession::prepare(std::string_view sql) {
    if (const auto found = ids_.find(sql); found != ids_.end()) return found->second;
    auto compiled = compile(sql);
    if (!compiled) return compiled.error();
    const StatementId id(static_cast<std::uint32_t>(prepared_.size()));
    prepared_.push_back(*std::move(compiled));
    ids_.emplace(std::string(sql), id);
    return id;
}

Result<SqliteSession::Prepared> SqliteSession::compile(std::string_view sql) {
    if (!connection_.is_open()) {
        Error gone = error(Code::unreachable, "the session is closed; reconnect it");
        gone.lost = Lost::session;
        return gone;
    }
    Prepared prepared;
    prepared.sql = sql;
    sqlite3_stmt* compiled = nullptr;
    const char* tail = nullptr;
    checking_ = true;
    const int result = sqlite3_prepare_v3(connection_.get(), prepared.sql.c_str(),
                                          static_cast<int>(prepared.sql.size() + 1),
                                          SQLITE_PREPARE_PERSISTENT, &compiled, &tail);
    prepared.statement.reset(compiled);
    Result<void> rest;
    if (result == SQLITE_OK) rest = check_tail(tail, prepared.sql.c_str() + prepared.sql.size());
    checking_ = false;
    if (result == SQLITE_AUTH) {
        return error(
            Code::invalid,
            fmt::format("refused: {}: statements of a session read and write rows; schema, "
                        "transaction and session statements are not for it",
                        sql));
    }
    if (result != SQLITE_OK) return failed(result, sql);
    if (!rest) return rest.error();
    if (compiled == nullptr || sqlite3_stmt_isexplain(compiled) != 0) {
        return error(Code::invalid, fmt::format("refused: '{}' is not one statement", sql));
    }
    prepared.width = sqlite3_bind_parameter_count(compiled);
    for (int i = 1; i <= prepared.width; ++i) {
        const char* name = sqlite3_bind_parameter_name(compiled, i);
        if (name == nullptr || name[0] != ':') {
            return error(Code::invalid,
                         fmt::format("parameters are written :name in {}", prepared.sql));
        }
    }
    prepared.writes = sqlite3_stmt_readonly(compiled) == 0;
    if (prepared.writes && role_ == Role::reader) {
        return error(Code::invalid, fmt::format("refused: a reader's session reads only: {}", sql));
    }
    if (sqlite3_column_count(compiled) == 0) compile_wide(prepared);
    return prepared;
}

/// Many rows in one statement cost a fifth less each than one by one.
void SqliteSession::compile_wide(Prepared& prepared) {
    const auto text = StatementText::parse(prepared.sql, SqlSyntax{});
    const auto width = static_cast<std::size_t>(prepared.width);
    if (!text || width == 0 || text->names().size() != width) return;
    const auto insert = text->one_row_insert();
    if (!insert || width * kWideRows > kMostParameters) return;
    // It would not surely see the rows before its own.
    if (text->has_word(insert->row, "SELECT")) return;
    // Its caller undoes what the rows before a failed one did; with FAIL, SQLite keeps no journal
    // of its own to undo it.
    const std::string_view head = text->text(insert->head).substr(kInsert.size());
    const char* const on_conflict = text->has_word(insert->head, "OR") ? "" : " OR FAIL";
    std::string sql = fmt::format("{}{}{} VALUES ", kInsert, on_conflict, head);
    for (std::size_t row = 0; row < kWideRows; ++row) {
        const auto place = [&](std::size_t at) {
            return fmt::format("?{}", row * width + text->places()[at] + 1);
        };
        sql += fmt::format("{}({})", row == 0 ? "" : ", ", text->rewritten(insert->row, place));
    }
    sql += text->text(insert->tail);
    sqlite3_stmt* compiled = nullptr;
    sqlite3_prepare_v3(connection_.get(), sql.c_str(), static_cast<int>(sql.size() + 1),
                       SQLITE_PREPARE_PERSISTENT, &compiled, nullptr);
    prepared.wide.reset(compiled);
}

/// Nothing but blanks, comments and semicolons may follow the first statement.
Result<void> SqliteSession::check_tail(const char* tail, const char* end) {
    while (tail < end) {
        sqlite3_stmt* next = nullptr;
        const char* after = nullptr;
        const int result = sqlite3_prepare_v3(connection_.get(), tail,
                                              static_cast<int>(end - tail + 1), 0, &next, &after);
        const Statement second(next);
        if (result != SQLITE_OK || second) {
            return error(Code::invalid, "refused: more than one statement in a text");
        }
        if (after <= tail) break;
        tail = after;
    }
    return {};
}

/// How much an error took: SQLite may have rolled back by itself, and what cannot go on inside the
/// transaction takes it along.
Error SqliteSession::failed(int result, std::string_view what) {
    Error failure = error_of(connection_.get(), result, what);
    switch (failure.code) {
        case Code::damaged:
            failure.lost = Lost::session;
            break;
        case Code::io:
        case Code::no_space:
        case Code::overloaded:
        case Code::conflict:
        case Code::read_only:
            failure.lost = Lost::transaction;
            break;
        default:
            if (open_ && !connection_.in_transaction()) failure.lost = Lost::transaction;
    }
    return failure;
}

Error SqliteSession::not_in_transaction() const {
    Error gone = error(Code::conflict, "the transaction was lost by an earlier error; roll back");
    gone.lost = connection_.is_open() ? Lost::transaction : Lost::session;
    return gone;
}

Result<void> SqliteSession::step_own(const Statement& statement, std::string_view what) {
    const Reset reset(statement);
    const int result = sqlite3_step(statement.get());
    if (result != SQLITE_DONE && result != SQLITE_ROW) return failed(result, what);
    return {};
}

void SqliteSession::let_checkpoint_pass() {
    if (role_ != Role::owner) return;
    for (int i = 0; i < kMostPauses && checkpointer_->is_restarting(); ++i) connection_.pause();
}

Result<void> SqliteSession::begin() {
    PENSTOCK_CHECK(!open_);
    if (!connection_.is_open()) {
        Error gone = error(Code::unreachable, "the session is closed; reconnect it");
        gone.lost = Lost::session;
        return gone;
    }
    let_checkpoint_pass();
    PENSTOCK_TRY(step_own(begin_, "begin"));
    open_ = true;
    savepoint_ = false;
    if (role_ == Role::owner) return {};
    auto snapshot = step_own(snapshot_, "begin");
    if (!snapshot) rollback();
    return snapshot;
}

Result<void> SqliteSession::run_once(const Prepared& prepared, const Statement& statement,
                                     std::span<const Value> values, Rows& into) {
    const Reset reset(statement);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const int result = bind_one(statement.get(), static_cast<int>(i + 1), values[i]);
        if (result != SQLITE_OK) return failed(result, prepared.sql);
    }
    for (;;) {
        const int result = sqlite3_step(statement.get());
        if (result == SQLITE_DONE) break;
        if (result != SQLITE_ROW) return failed(result, prepared.sql);
        add_row(statement.get(), into.table);
    }
    if (prepared.writes) {
        into.matched += static_cast<std::uint64_t>(sqlite3_changes64(connection_.get()));
    }
    return {};
}

std::size_t SqliteSession::run(std::span<const Call> calls, std::span<Result<Rows>> out) {
    PENSTOCK_CHECK(out.size() >= calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const Call& call = calls[i];
        PENSTOCK_CHECK(call.statement.value() < prepared_.size());
        const auto width = prepared_[call.statement.value()].width;
        PENSTOCK_CHECK(call.parameters.size() == static_cast<std::size_t>(width));
        out[i] =
            width == 0 ? run_many(call.statement, {}) : run_many(call.statement, call.parameters);
        if (!out[i]) return i + 1;
    }
    return calls.size();
}

Result<Rows> SqliteSession::run_many(StatementId id, std::span<const Value> rows) {
    PENSTOCK_CHECK(open_ && id.value() < prepared_.size());
    if (!connection_.is_open() || !connection_.in_transaction()) return not_in_transaction();
    const Prepared& prepared = prepared_[id.value()];
    const auto width = static_cast<std::size_t>(prepared.width);
    PENSTOCK_CHECK(width == 0 ? rows.empty() : rows.size() % width == 0);
    Rows result;
    if (sqlite3_column_count(prepared.statement.get()) != 0) {
        name_columns(prepared.statement.get(), result.table);
    }
    const std::size_t wide = prepared.wide ? width * kWideRows : rows.size() + 1;
    for (; rows.size() >= wide; rows = rows.subspan(wide)) {
        PENSTOCK_TRY(run_once(prepared, prepared.wide, rows.first(wide), result));
    }
    if (width == 0) PENSTOCK_TRY(run_once(prepared, prepared.statement, {}, result));
    for (; !rows.empty(); rows = rows.subspan(width)) {
        PENSTOCK_TRY(run_once(prepared, prepared.statement, rows.first(width), result));
    }
    if (!prepared.writes) result.matched = result.table.rows();
    return result;
}

Result<void> SqliteSession::savepoint() {
    PENSTOCK_CHECK(open_);
    if (!connection_.in_transaction()) return not_in_transaction();
    if (savepoint_) PENSTOCK_TRY(step_own(release_, "release savepoint"));
    savepoint_ = false;
    PENSTOCK_TRY(step_own(savepoint_sql_, "savepoint"));
    savepoint_ = true;
    return {};
}

Result<void> SqliteSession::rollback_to_savepoint() {
    PENSTOCK_CHECK(open_ && savepoint_);
    if (!connection_.in_transaction()) return not_in_transaction();
    return step_own(rollback_to_, "rollback to savepoint");
}

Result<void> SqliteSession::commit() {
    PENSTOCK_CHECK(open_);
    if (!connection_.in_transaction()) return not_in_transaction();
    auto done = step_own(commit_, "commit");
    if (done) {
        open_ = false;
        return {};
    }
    Error failure = std::move(done).error();
    if (connection_.in_transaction() &&
        (failure.code == Code::conflict || failure.code == Code::constraint)) {
        // Refused before anything was written: the transaction still stands, rollback() ends it.
        failure.lost = Lost::transaction;
        return failure;
    }
    // The commit frame may already be in the file, and a power cut decides whether it stays.
    failure.effect = Effect::unknown;
    failure.lost = Lost::session;
    return failure;
}

void SqliteSession::rollback() noexcept {
    open_ = false;
    savepoint_ = false;
    if (!connection_.is_open() || !connection_.in_transaction()) return;
    // A rollback in WAL mode writes nothing; what fails here shows at the next begin().
    sqlite3_step(rollback_.get());
    sqlite3_reset(rollback_.get());
    if (connection_.in_transaction()) connection_.close();
}

Result<void> SqliteSession::reconnect() {
    open_ = false;
    savepoint_ = false;
    for (Statement* own :
         {&begin_, &snapshot_, &commit_, &rollback_, &savepoint_sql_, &rollback_to_, &release_}) {
        own->reset();
    }
    for (Prepared& prepared : prepared_) {
        prepared.statement.reset();
        prepared.wide.reset();
    }
    const auto again = [this]() -> Result<void> {
        PENSTOCK_TRY(open());
        for (Prepared& prepared : prepared_) {
            auto compiled = compile(prepared.sql);
            if (!compiled) return compiled.error();
            prepared = *std::move(compiled);
        }
        return {};
    };
    auto done = again();
    if (done) return {};
    connection_.close();
    Error failure = std::move(done).error();
    failure.lost = Lost::session;
    return failure;
}

}  // namespace penstock::sqlite
