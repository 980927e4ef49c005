#include "penstock/store/mariadb/mariadb_session.h"

#include <fmt/format.h>
#include <mysqld_error.h>

#include <algorithm>
#include <charconv>

#include "penstock/base/uuid.h"

namespace penstock::mariadb {
namespace {

constexpr SqlSyntax kSyntax{
    .backslash_escapes = true, .hash_comments = true, .question_marks = true, .at_variables = true};
// What a packet holds beside the values.
constexpr std::size_t kPacketRest = 4096;
// More in one trip brings nothing, and the library's copy of it grows.
constexpr std::size_t kMostBytes = 4 * 1024 * 1024;

bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/// ON DUPLICATE KEY UPDATE name = name, blanks aside: nothing is to happen.
bool does_nothing(std::string_view tail) {
    constexpr std::string_view kStart = "ONDUPLICATEKEYUPDATE";
    std::string dense;
    for (const char c : tail) {
        if (!is_blank(c)) dense += c;
    }
    for (std::size_t i = 0; i < std::min(dense.size(), kStart.size()); ++i) {
        if (dense[i] >= 'a' && dense[i] <= 'z') dense[i] = static_cast<char>(dense[i] - 'a' + 'A');
    }
    if (!dense.starts_with(kStart)) return false;
    const std::string_view set = std::string_view(dense).substr(kStart.size());
    const auto equals = set.find('=');
    return equals != set.npos && equals != 0 && set.substr(0, equals) == set.substr(equals + 1);
}

/// The number behind `word` in "Records: 3  Duplicates: 1  Warnings: 0".
std::optional<std::uint64_t> number_after(std::string_view info, std::string_view word) {
    const auto found = info.find(word);
    if (found == info.npos) return std::nullopt;
    std::uint64_t number = 0;
    const char* const digits = info.data() + found + word.size();
    const auto read = std::from_chars(digits, info.data() + info.size(), number);
    if (read.ec != std::errc()) return std::nullopt;
    return number;
}

}  // namespace

MariadbSession::MariadbSession(const MariadbOptions& options, const Endpoint& endpoint, Env& env,
                               Role role, const SessionLimits& limits)
    : env_(env), role_(role), connection_(options, endpoint, limits) {}

Result<void> MariadbSession::open() {
    PENSTOCK_TRY(connection_.open(role_));
    if (role_ == Role::reader) return {};
    name_ = "penstock " + format_uuid(make_uuid_v7(env_.clock.wall(), env_.random));
    return connection_.take_name(name_);
}

Error MariadbSession::closed() const {
    Error gone = error(Code::unreachable, "the session is closed; reconnect it");
    gone.lost = Lost::session;
    return gone;
}

Error MariadbSession::not_in_transaction() const {
    if (!connection_.is_open()) return closed();
    Error gone = error(Code::conflict, "the transaction was lost by an earlier error; roll back");
    gone.lost = Lost::transaction;
    return gone;
}

/// How much an error took, and what that leaves of this session.
Error MariadbSession::failed(Error failure) {
    if (failure.lost == Lost::statement && !connection_.ping()) failure.lost = Lost::session;
    if (failure.lost == Lost::statement && open_ && !connection_.in_transaction()) {
        failure.lost = Lost::transaction;
    }
    if (failure.lost != Lost::statement) broken_ = true;
    if (failure.lost == Lost::session) connection_.close();
    return failure;
}

Result<void> MariadbSession::still_inside() {
    if (connection_.in_transaction()) return {};
    broken_ = true;
    Error gone = error(Code::conflict, "the server ended the transaction by itself");
    gone.lost = Lost::transaction;
    return gone;
}

Result<StatementId> MariadbSession::prepare(std::string_view sql) {
    if (const auto found = ids_.find(sql); found != ids_.end()) return found->second;
    if (!connection_.is_open()) return closed();
    auto text = StatementText::parse(sql, kSyntax);
    if (!text) return text.error();
    if (role_ == Role::reader && text->writes()) {
        return error(Code::invalid, fmt::format("refused: a reader's session reads only: {}", sql));
    }
    Prepared prepared;
    prepared.text = *std::move(text);
    PENSTOCK_TRY(compile(prepared));
    const StatementId id(static_cast<std::uint32_t>(prepared_.size()));
    prepared_.push_back(std::move(prepared));
    ids_.emplace(std::string(sql), id);
    return id;
}

Result<void> MariadbSession::compile(Prepared& prepared) {
    const StatementText& text = prepared.text;
    const auto mark = [](std::size_t) { return std::string("?"); };
    std::string sql = text.rewritten(text.all(), mark);
    const auto insert = text.one_row_insert();
    if (insert && does_nothing(text.text(insert->tail))) {
        prepared.count = Count::new_rows;
        if (text.names().empty()) {  // the second row makes the server count, see run_piece()
            const auto row = text.text(insert->row);
            sql = fmt::format("{}VALUES ({}), ({}){}", text.text(insert->head), row, row,
                              text.text(insert->tail));
        }
    } else if (text.verb() == "REPLACE" || text.has_word(text.all(), "DUPLICATE")) {
        prepared.count = Count::rows;
    }
    auto statement = connection_.prepare(sql);
    if (!statement) return failed(std::move(statement).error());
    prepared.statement = *std::move(statement);
    prepared.lookups.clear();
    prepared.lookup = lookup_of(text);
    prepared.whole = text.writes() && mysql_stmt_field_count(prepared.statement.get()) == 0 &&
                     (text.verb() != "INSERT" || insert);
    return {};
}

Result<void> MariadbSession::begin() {
    PENSTOCK_CHECK(!open_);
    if (!connection_.is_open()) return closed();
    auto begun = connection_.execute(role_ == Role::owner
                                         ? "START TRANSACTION"
                                         : "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
    if (!begun) return failed(std::move(begun).error());
    open_ = true;
    broken_ = false;
    savepoint_ = false;
    return {};
}

std::size_t MariadbSession::run(std::span<const Call> calls, std::span<Result<Rows>> out) {
    PENSTOCK_CHECK(out.size() >= calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const Call& call = calls[i];
        PENSTOCK_CHECK(call.statement.value() < prepared_.size());
        PENSTOCK_CHECK(call.parameters.size() ==
                       prepared_[call.statement.value()].text.names().size());
        out[i] = run_many(call.statement, call.parameters);
        if (!out[i]) return i + 1;
    }
    return calls.size();
}

Result<Rows> MariadbSession::run_many(StatementId id, std::span<const Value> rows) {
    PENSTOCK_CHECK(open_ && id.value() < prepared_.size());
    if (!connection_.is_open() || broken_) return not_in_transaction();
    Prepared& prepared = prepared_[id.value()];
    const std::size_t width = prepared.text.names().size();
    PENSTOCK_CHECK(width == 0 ? rows.empty() : rows.size() % width == 0);
    Rows result;
    const bool returns = mysql_stmt_field_count(prepared.statement.get()) != 0;
    const auto done = width == 0 ? run_row(prepared, {}, result) : run_rows(prepared, rows, result);
    if (!done) return done.error();
    if (returns) result.matched = result.table.rows();
    return result;
}

Result<void> MariadbSession::run_rows(Prepared& prepared, std::span<const Value> rows, Rows& into) {
    const std::size_t width = prepared.text.names().size();
    if (prepared.lookup && rows.size() > width) {
        const auto found = look_up(prepared, rows, into);
        if (!found) return found.error();
        if (*found) return {};
        into = Rows{};
    }
    while (!rows.empty()) {
        const bool one = rows.size() == width && prepared.count != Count::new_rows;
        if (prepared.whole && !one) {
            const auto taken = run_piece(prepared, rows, into);
            if (!taken) return taken.error();
            rows = rows.subspan(*taken * width);
        } else {
            PENSTOCK_TRY(run_row(prepared, rows.first(width), into));
            rows = rows.subspan(width);
        }
    }
    return {};
}

Result<void> MariadbSession::run_row(Prepared& prepared, std::span<const Value> values,
                                     Rows& into) {
    MYSQL_STMT* const statement = prepared.statement.get();
    if (bytes_of(values) + kPacketRest > connection_.max_packet()) {
        return error(Code::too_large,
                     fmt::format("the values of one row are over the server's max_allowed_packet "
                                 "of {} bytes",
                                 connection_.max_packet()));
    }
    PENSTOCK_TRY(execute(statement, parameters_.bind_row(values, prepared.text.places()), 0));
    if (mysql_stmt_field_count(statement) != 0) {
        PENSTOCK_TRY(read_answer(statement, into.table));
    } else {
        into.matched += matched(prepared, statement, 1);
    }
    return still_inside();
}

/// The leading rows that fit into one trip; returns how many. A statement that the server does not
/// take whole goes on row by row from then on.
Result<std::size_t> MariadbSession::run_piece(Prepared& prepared, std::span<const Value> rows,
                                              Rows& into) {
    const std::size_t width = prepared.text.names().size();
    const std::size_t room = std::min(kMostBytes, connection_.max_packet() - kPacketRest);
    if (bytes_of(rows.first(width)) > room) {
        // Too large for a piece, not for a packet: its own trip, or the error that says so.
        PENSTOCK_TRY(run_row(prepared, rows.first(width), into));
        return std::size_t{1};
    }
    std::size_t taken = parameters_.take_rows(rows, width, room);
    std::size_t sent = taken;
    if (taken == 1 && prepared.count == Count::new_rows) {
        // With found rows, one row alone counts 1 whether it was there or not. Two are told apart
        // in the server's info, and the second is always a duplicate.
        padded_.assign(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(width));
        padded_.insert(padded_.end(), rows.begin(),
                       rows.begin() + static_cast<std::ptrdiff_t>(width));
        sent = parameters_.take_rows(padded_, width, room * 2);
    }
    MYSQL_STMT* const statement = prepared.statement.get();
    const auto done = execute(statement, parameters_.bind_rows(prepared.text.places()), sent);
    if (!done && done.error().lost == Lost::statement &&
        mysql_stmt_errno(statement) == ER_UNSUPPORTED_PS) {
        prepared.whole = false;
        return std::size_t{0};
    }
    if (!done) return done.error();
    into.matched += matched(prepared, statement, sent);
    PENSTOCK_TRY(still_inside());
    return taken;
}

Result<void> MariadbSession::execute(MYSQL_STMT* statement, MYSQL_BIND* binds, std::size_t rows) {
    const auto size = static_cast<unsigned>(rows);
    mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &size);
    if (mysql_stmt_param_count(statement) != 0) mysql_stmt_bind_param(statement, binds);
    if (mysql_stmt_execute(statement) == 0) return {};
    return failed(connection_.error_of(statement, "a statement failed"));
}

Result<void> MariadbSession::read_answer(MYSQL_STMT* statement, Table& table) {
    Answer answer(statement);
    if (table.columns() == 0) table.set_names(answer.names());
    for (;;) {
        const Answer::Step step = answer.fetch();
        if (step == Answer::Step::end) break;
        if (step == Answer::Step::failed) {
            Error failure = connection_.error_of(statement, "an answer cannot be read");
            mysql_stmt_free_result(statement);
            return failed(std::move(failure));
        }
        for (std::size_t i = 0; i < answer.columns(); ++i) add(table, answer.value(i));
    }
    mysql_stmt_free_result(statement);
    return {};
}

std::uint64_t MariadbSession::matched(const Prepared& prepared, MYSQL_STMT* statement,
                                      std::size_t rows) const {
    if (prepared.count == Count::affected) return mysql_stmt_affected_rows(statement);
    const std::string_view info = connection_.info();
    const std::uint64_t records = number_after(info, "Records: ").value_or(rows);
    if (prepared.count == Count::rows) return records;
    return records - number_after(info, "Duplicates: ").value_or(0);
}

Result<void> MariadbSession::savepoint() {
    PENSTOCK_CHECK(open_);
    if (!connection_.is_open() || broken_) return not_in_transaction();
    auto done = connection_.execute("SAVEPOINT penstock");  // the same name: in place of the last
    if (!done) return failed(std::move(done).error());
    savepoint_ = true;
    return {};
}

Result<void> MariadbSession::rollback_to_savepoint() {
    PENSTOCK_CHECK(open_ && savepoint_);
    if (!connection_.is_open() || broken_) return not_in_transaction();
    auto done = connection_.execute("ROLLBACK TO SAVEPOINT penstock");
    if (!done) return failed(std::move(done).error());
    return {};
}

Result<void> MariadbSession::commit() {
    PENSTOCK_CHECK(open_);
    if (!connection_.is_open() || broken_) return not_in_transaction();
    auto done = connection_.execute("COMMIT");
    if (done) {
        open_ = false;
        return {};
    }
    Error failure = std::move(done).error();
    broken_ = true;
    // Rolled back instead, as a cluster does with what another node has outrun.
    if (connection_.last_number() == ER_LOCK_DEADLOCK) return failure;
    // Lost on the way, or half done in the engine: only a look at the rows can tell.
    failure.effect = Effect::unknown;
    failure.lost = Lost::session;
    connection_.close();
    return failure;
}

void MariadbSession::rollback() noexcept {
    const bool inside = open_ || broken_;
    open_ = false;
    broken_ = false;
    savepoint_ = false;
    if (!inside || !connection_.is_open()) return;
    if (!connection_.execute("ROLLBACK")) connection_.close();
}

Result<void> MariadbSession::reconnect() {
    open_ = false;
    broken_ = false;
    savepoint_ = false;
    for (Prepared& prepared : prepared_) {
        prepared.statement.reset();
        prepared.lookups.clear();
    }
    const auto again = [this]() -> Result<void> {
        PENSTOCK_TRY(open());
        for (Prepared& prepared : prepared_) PENSTOCK_TRY(compile(prepared));
        return {};
    };
    auto done = again();
    if (done) return {};
    connection_.close();
    Error failure = std::move(done).error();
    failure.lost = Lost::session;
    return failure;
}

}  // namespace penstock::mariadb
