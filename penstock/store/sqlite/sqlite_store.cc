#include "penstock/store/sqlite/sqlite_store.h"

#include "penstock/store/sqlite/checkpointer.h"
#include "penstock/store/sqlite/schema.h"
#include "penstock/store/sqlite/sqlite_session.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kSchemaWait{5000};

}  // namespace

SqliteStore::SqliteStore(SqliteOptions options, Env& env)
    : options_(std::move(options)), env_(env) {}

SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(SqliteOptions options, Env& env) {
    // Nobody reads SQLite's count of its memory, for which all threads share one lock. Refused, and
    // no harm, once the library is in use.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_threadsafe() == 0) {
        return error(Code::unsafe,
                     "the SQLite library was built with SQLITE_THREADSAFE=0: install another");
    }
    PENSTOCK_CHECK(options.checkpoint_pages > 0);
    std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(options), env));
    if (store->options_.read_only) {
        sqlite::Connection probe(store->options_, env, kSchemaWait);
        PENSTOCK_TRY(probe.open(Role::reader));
        const auto read = probe.query_text("SELECT count(*) FROM sqlite_schema");
        if (!read) return read.error();
        return store;
    }
    store->checkpointer_ = std::make_unique<sqlite::Checkpointer>(store->options_, env);
    PENSTOCK_TRY(store->checkpointer_->start());
    return store;
}

Result<void> SqliteStore::prepare_schema(std::span<const Migration> migrations) {
    if (options_.read_only) {
        return error(Code::read_only, "the store is open for reading only");
    }
    sqlite::Connection connection(options_, env_, kSchemaWait);
    PENSTOCK_TRY(connection.open(Role::owner));
    return sqlite::migrate(connection, migrations);
}

Result<std::unique_ptr<Session>> SqliteStore::open(Role role, const SessionLimits& limits) {
    if (options_.read_only && role == Role::owner) {
        return error(Code::read_only, "the store is open for reading only");
    }
    auto session =
        std::make_unique<sqlite::SqliteSession>(options_, env_, role, limits, checkpointer_.get());
    PENSTOCK_TRY(session->open());
    return std::unique_ptr<Session>(std::move(session));
}

}  // namespace penstock
