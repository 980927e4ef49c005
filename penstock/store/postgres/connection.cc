#include "penstock/store/postgres/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "penstock/store/postgres/sqlstate.h"

namespace penstock::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kBinary = 1;

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// Seconds as libpq takes them, one at least.
std::string whole_seconds(milliseconds time) {
    return std::to_string(std::max<long long>(1, std::chrono::ceil<seconds>(time).count()));
}

void ignore_notice(void*, const PGresult*) {}

using Words = std::vector<const char*>;

/// The SQLSTATE with which the server refuses a connection; empty if none answers. libpq has it in
/// its message only, in a form that must be asked for before the connection is made, so that it is
/// made once more; the server's words are in the server's language.
std::string refusal_state(Env& env, const Words& keys, const Words& values, MonoTime by) {
    const std::unique_ptr<PGconn, FinishConnection> asked(
        PQconnectStartParams(keys.data(), values.data(), 1));
    if (asked == nullptr) return {};
    PQsetErrorVerbosity(asked.get(), PQERRORS_SQLSTATE);
    auto next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_FAILED) {
        if (next == PGRES_POLLING_OK || PQstatus(asked.get()) == CONNECTION_BAD) return {};
        const auto left = std::chrono::ceil<milliseconds>(by - env.clock.mono()).count();
        pollfd socket{PQsocket(asked.get()),
                      static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
        if (left <= 0 || ::poll(&socket, 1, static_cast<int>(left)) <= 0) return {};
        next = PQconnectPoll(asked.get());
    }
    const std::string said = one_line(PQerrorMessage(asked.get()));
    return said.size() < 5 ? std::string() : said.substr(said.size() - 5);
}

/// What to do about a connection that was refused with this SQLSTATE.
std::pair<Code, const char*> advice_for(const std::string& state) {
    const std::string_view group = std::string_view(state).substr(0, 2);
    if (group == "28") return {Code::invalid, "check the user and password in the url"};
    if (group == "3D") return {Code::invalid, "create the database, or correct the url"};
    if (state == "42501") return {Code::invalid, "GRANT CONNECT ON the database TO this user"};
    if (state == "53300") return {Code::overloaded, "raise max_connections or the user's limit"};
    return {Code::unreachable, "start the server or correct the url"};
}

/// A port that is none is told by libpq as if the server were not there.
bool has_port(const PQconninfoOption* options) {
    for (; options->keyword != nullptr; ++options) {
        if (std::string_view(options->keyword) != "port" || options->val == nullptr) continue;
        return std::string_view(options->val).find_first_not_of("0123456789,") ==
               std::string_view::npos;
    }
    return true;
}

}  // namespace

bool succeeded(const Answer& answer) {
    const auto status = PQresultStatus(answer.get());
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

Result<void> check_url(const std::string& url) {
    const bool is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
    char* said = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
        PQconninfoParse(url.c_str(), &said));
    const std::string why = said == nullptr ? "" : one_line(said);
    PQfreemem(said);
    if (is_url && parsed != nullptr && has_port(parsed.get())) return {};
    // libpq's words quote the url: they are shown only where it holds no user and no password.
    const bool secret = url.find('@') != url.npos || url.find("password") != url.npos;
    return error(Code::invalid, fmt::format("the store's url is not understood: write "
                                            "postgresql://user:password@host:port/database{}",
                                            secret || why.empty() ? "" : " (" + why + ")"));
}

Result<void> Connection::open(const SessionLimits& limits) {
    close();
    reply_time_ = std::max(options_.reply_time, 2 * limits.busy);
    asked_ = 0;
    failed_ = false;
    const std::string connect = whole_seconds(options_.connect_time);
    const std::string keep_alive = whole_seconds(limits.idle_transaction / 4);
    const std::string user_timeout = std::to_string(limits.idle_transaction.count());
    // What stands behind the url goes before it; what stands before it is its default.
    const std::array<std::pair<const char*, const char*>, 9> words = {{
        {"connect_timeout", connect.c_str()},
        {"keepalives", "1"},
        {"keepalives_idle", keep_alive.c_str()},
        {"keepalives_interval", keep_alive.c_str()},
        {"keepalives_count", "2"},
        {"tcp_user_timeout", user_timeout.c_str()},
        {"dbname", options_.url.c_str()},
        {"fallback_application_name", "penstock"},
        {"client_encoding", "UTF8"},
    }};
    Words keys, values;
    for (const auto& [key, value] : words) {
        keys.push_back(key);
        values.push_back(value);
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    const MonoTime by = env_.clock.mono() + options_.connect_time;
    std::unique_ptr<PGconn, FinishConnection> made(
        PQconnectdbParams(keys.data(), values.data(), 1));
    if (PQstatus(made.get()) != CONNECTION_OK) {
        const bool no_password = PQconnectionNeedsPassword(made.get()) != 0;
        const auto [code, advice] =
            advice_for(no_password ? "28P01" : refusal_state(env_, keys, values, by));
        Error refused =
            error(code, fmt::format("cannot connect to PostgreSQL at {}:{}: {}; {}",
                                    PQhost(made.get()) == nullptr ? "?" : PQhost(made.get()),
                                    PQport(made.get()) == nullptr ? "?" : PQport(made.get()),
                                    one_line(PQerrorMessage(made.get())), advice));
        refused.lost = Lost::session;
        return refused;
    }
    PQsetNoticeReceiver(made.get(), &ignore_notice, nullptr);
    connection_ = std::move(made);
    if (PQsetnonblocking(connection_.get(), 1) != 0 ||
        PQenterPipelineMode(connection_.get()) != 1) {
        return broken(PQerrorMessage(connection_.get()));
    }
    return {};
}

void Connection::ask(const char* sql) {
    failed_ |= PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr,
                                 kBinary) != 1;
    ++asked_;
}

void Connection::ask_to_prepare(const std::string& name, const std::string& sql,
                                std::span<const Oid> types) {
    failed_ |= PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(),
                             static_cast<int>(types.size()), types.data()) != 1;
    ++asked_;
}

void Connection::ask_to_describe(const std::string& name) {
    failed_ |= PQsendDescribePrepared(connection_.get(), name.c_str()) != 1;
    ++asked_;
}

void Connection::ask(const std::string& name, const Parameters& parameters) {
    const char* const* values = parameters.values();
    failed_ |= PQsendQueryPrepared(connection_.get(), name.c_str(), parameters.count(), values,
                                   parameters.lengths(), parameters.formats(), kBinary) != 1;
    ++asked_;
}

Result<void> Connection::trip() {
    answers_.clear();
    PENSTOCK_CHECK(is_open());
    failed_ |= PQpipelineSync(connection_.get()) != 1;
    if (failed_) return broken(PQerrorMessage(connection_.get()));
    MonoTime give_up = env_.clock.mono() + reply_time_;
    return read_answers(give_up);
}

Result<void> Connection::read_answers(MonoTime& give_up) {
    const std::size_t asked = std::exchange(asked_, 0);
    for (;;) {
        auto next = next_answer(give_up);
        if (!next) return next.error();
        Answer& answer = *next;
        const auto status = PQresultStatus(answer.get());
        if (status == PGRES_PIPELINE_SYNC) return {};
        if (status == PGRES_PIPELINE_ABORTED) continue;  // behind one that failed
        if (!succeeded(answer) && ends_session(answer.get())) {
            Error end = error_of(answer.get(), "the server ended the session");
            close();
            return end;
        }
        PENSTOCK_CHECK(answers_.size() < asked);
        answers_.push_back(std::move(answer));
    }
}

/// The next result; the empty ones between the answers are taken away.
Result<Answer> Connection::next_answer(MonoTime& give_up) {
    for (int empty = 0; empty < 3; ++empty) {
        while (PQisBusy(connection_.get()) != 0) PENSTOCK_TRY(wait(give_up));
        Answer answer(PQgetResult(connection_.get()));
        if (answer) return answer;
        if (PQstatus(connection_.get()) != CONNECTION_OK) break;
    }
    return broken(PQerrorMessage(connection_.get()));
}

/// Sends what is left, takes what has come. Waits until either moves.
Result<void> Connection::wait(MonoTime& give_up) {
    const int left = PQflush(connection_.get());
    if (left < 0) {
        // Perhaps the server said why before it went.
        if (PQconsumeInput(connection_.get()) == 1) return {};
        return broken(PQerrorMessage(connection_.get()));
    }
    const auto events = static_cast<short>(left > 0 ? POLLIN | POLLOUT : POLLIN);
    pollfd socket{PQsocket(connection_.get()), events, 0};
    const auto patience = std::chrono::ceil<milliseconds>(give_up - env_.clock.mono()).count();
    const int ready = ::poll(&socket, 1, static_cast<int>(std::clamp<long>(patience, 0, 60'000)));
    if (ready > 0) {
        give_up = env_.clock.mono() + reply_time_;
        if ((socket.revents & POLLOUT) != 0 && (socket.revents & ~POLLOUT) == 0) return {};
        if (PQconsumeInput(connection_.get()) == 1) return {};
        return broken(PQerrorMessage(connection_.get()));
    }
    if (env_.clock.mono() < give_up) return {};
    return broken(fmt::format("no answer for {} ms", reply_time_.count()));
}

Result<Answer> Connection::query(const char* sql) {
    ask(sql);
    PENSTOCK_TRY(trip());
    PENSTOCK_CHECK(answers_.size() == 1);
    if (!succeeded(answers_.front())) return error_of(answers_.front().get(), sql);
    return std::move(answers_.front());
}

Error Connection::broken(std::string_view said) {
    Error lost =
        error(Code::unreachable,
              fmt::format("the connection to PostgreSQL at {}:{} broke: {}",
                          PQhost(connection_.get()), PQport(connection_.get()), one_line(said)));
    lost.lost = Lost::session;
    close();
    asked_ = 0;
    return lost;
}

}  // namespace penstock::postgres
