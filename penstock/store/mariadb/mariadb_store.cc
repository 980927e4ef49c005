#include "penstock/store/mariadb/mariadb_store.h"

#include "penstock/store/mariadb/connection.h"
#include "penstock/store/mariadb/mariadb_session.h"
#include "penstock/store/mariadb/schema.h"
#include "penstock/store/mariadb/settings.h"

namespace penstock {
namespace {

// A change of a large table takes its time; a dead line is found by the keep-alive.
constexpr std::chrono::hours kLongestMigration{24};

}  // namespace

MariadbStore::MariadbStore(Env& env, MariadbOptions options, mariadb::Endpoint endpoint)
    : env_(env), options_(std::move(options)), endpoint_(std::move(endpoint)) {}

Result<std::unique_ptr<MariadbStore>> MariadbStore::open(MariadbOptions options, Env& env) {
    // The library's own start is not safe from two threads.
    static const int failed = mysql_library_init(0, nullptr, nullptr);
    if (failed != 0) return error(Code::io, "the MariaDB client library does not start");
    PENSTOCK_CHECK(options.writers > 0);
    auto endpoint = mariadb::parse_endpoint(options.url);
    if (!endpoint) return endpoint.error();
    std::unique_ptr<MariadbStore> store(
        new MariadbStore(env, std::move(options), *std::move(endpoint)));
    mariadb::Connection probe(store->options_, store->endpoint_, {});
    PENSTOCK_TRY(probe.open(Role::reader));
    store->about_ = probe.about();
    return store;
}

Result<void> MariadbStore::prepare_schema(std::span<const Migration> migrations) {
    MariadbOptions patient = options_;
    patient.reply_time = kLongestMigration;
    mariadb::Connection connection(patient, endpoint_, {});
    PENSTOCK_TRY(connection.open(Role::owner));
    if (!options_.accept_data_loss) PENSTOCK_TRY(mariadb::check_settings(connection));
    return mariadb::migrate(connection, endpoint_, migrations);
}

Result<std::unique_ptr<Session>> MariadbStore::open(Role role, const SessionLimits& limits) {
    auto session =
        std::make_unique<mariadb::MariadbSession>(options_, endpoint_, env_, role, limits);
    PENSTOCK_TRY(session->open());
    return std::unique_ptr<Session>(std::move(session));
}

Result<void> MariadbStore::end_session(std::string_view server_id) {
    if (server_id.empty()) return {};
    mariadb::Connection connection(options_, endpoint_, {});
    PENSTOCK_TRY(connection.open(Role::reader));
    return connection.end_named(server_id);
}

}  // namespace penstock
