#include "penstock/store/postgres/postgres_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/store/postgres/postgres_session.h"
#include "penstock/store/postgres/schema.h"
#include "penstock/store/postgres/settings.h"
#include "penstock/store/postgres/sqlstate.h"

namespace penstock {
namespace {

// Other processes may hold the tables' locks for a while: a start waits for them.
constexpr SessionLimits kSchemaLimits{std::chrono::milliseconds(10'000),
                                      std::chrono::milliseconds(20'000)};

// An index over a large table takes its time.
constexpr std::chrono::minutes kLongestMigration{30};

std::string versions_of(PGconn* connection) {
    const char* server = PQparameterStatus(connection, "server_version");
    const int library = PQlibVersion();
    return fmt::format("PostgreSQL {}; libpq {}.{}", server == nullptr ? "?" : server,
                       library / 10'000, library % 10'000);
}

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 19 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

PostgresStore::PostgresStore(PostgresOptions options, Env& env)
    : options_(std::move(options)), env_(env) {}

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(PostgresOptions options, Env& env) {
    PENSTOCK_CHECK(options.writers > 0);
    PENSTOCK_TRY(postgres::check_url(options.url));
    std::unique_ptr<PostgresStore> store(new PostgresStore(std::move(options), env));
    postgres::Connection probe(store->options_, env);
    PENSTOCK_TRY(probe.open(kSchemaLimits));
    const auto checked = postgres::configure(probe, Role::owner, kSchemaLimits);
    if (!checked) return checked.error();
    store->about_ = versions_of(probe.get());
    return store;
}

Result<void> PostgresStore::prepare_schema(std::span<const Migration> migrations) {
    PostgresOptions patient = options_;
    patient.reply_time = kLongestMigration;
    postgres::Connection connection(patient, env_);
    PENSTOCK_TRY(connection.open(kSchemaLimits));
    const auto checked = postgres::configure(connection, Role::owner, kSchemaLimits);
    if (!checked) return checked.error();
    return postgres::migrate(connection, migrations);
}

Result<std::unique_ptr<Session>> PostgresStore::open(Role role, const SessionLimits& limits) {
    auto session = std::make_unique<postgres::PostgresSession>(options_, env_, role, limits);
    PENSTOCK_TRY(session->open());
    return std::unique_ptr<Session>(std::move(session));
}

/// "pid@start of its backend in microseconds": a process number alone may be another's by now.
Result<void> PostgresStore::end_session(std::string_view server_id) {
    const std::size_t at = server_id.find('@');
    const std::string_view pid = server_id.substr(0, at);
    const std::string_view started = at == server_id.npos ? "" : server_id.substr(at + 1);
    if (!is_number(pid) || !is_number(started)) return {};
    postgres::Connection connection(options_, env_);
    PENSTOCK_TRY(connection.open(kSchemaLimits));
    const auto ended = connection.query(
        fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {} AND "
                    "(extract(epoch FROM backend_start) * 1000000)::bigint = {}",
                    pid, started)
            .c_str());
    if (!ended) return ended.error();
    return {};
}

}  // namespace penstock
