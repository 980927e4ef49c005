#include "bench/bare_sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstdlib>
#include <string_view>

#include "bench/measure.h"
#include "penstock/base/env.h"
#include "penstock/base/uuid.h"

namespace penstock::bench {
namespace {

constexpr const char* kSchema =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32768;"
    "CREATE TABLE penstock_owner (grp TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL,"
    " epoch INTEGER, seq INTEGER, next_offset INTEGER, fingerprint INTEGER, turn_time INTEGER,"
    " PRIMARY KEY (grp, topic, part)) WITHOUT ROWID;"
    "INSERT INTO penstock_owner VALUES ('penstock', 'sale', 0, 1, 0, 0, 0, 0);"
    "CREATE TABLE penstock_processed (id BLOB NOT NULL, part INTEGER NOT NULL,"
    " body_hash BLOB NOT NULL, outcome INTEGER NOT NULL, reason TEXT, reply BLOB NOT NULL,"
    " topic TEXT NOT NULL, partition_no INTEGER NOT NULL, record_offset INTEGER NOT NULL,"
    " decided_at INTEGER NOT NULL, PRIMARY KEY (id, part)) WITHOUT ROWID;"
    "CREATE TABLE sale_stock (campaign TEXT PRIMARY KEY, quantity INTEGER NOT NULL,"
    " granted INTEGER NOT NULL CHECK (granted >= 0 AND granted <= quantity),"
    " version INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO sale_stock VALUES ('bench', 2000000000, 0, 0);"
    "CREATE TABLE sale_grant (campaign TEXT NOT NULL, user_id TEXT NOT NULL,"
    " slot INTEGER NOT NULL, position INTEGER NOT NULL,"
    " quantity INTEGER NOT NULL CHECK (quantity > 0), id BLOB NOT NULL, id_text TEXT,"
    " record_offset INTEGER NOT NULL,"
    " granted_at INTEGER NOT NULL, PRIMARY KEY (campaign, user_id, slot)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX sale_grant_position ON sale_grant (campaign, position);";

void require(int result, sqlite3* database) {
    if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW) return;
    fmt::print(stderr, "bare_sale: {}\n", sqlite3_errmsg(database));
    std::exit(1);
}

class Database {
public:
    explicit Database(const std::string& path) {
        require(sqlite3_open(path.c_str(), &database_), database_);
        run(kSchema);
    }
    ~Database() {
        for (sqlite3_stmt* statement : {owner_, processed_, grant_, stock_}) {
            sqlite3_finalize(statement);
        }
        sqlite3_close(database_);
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void run(const char* sql) {
        require(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr), database_);
    }
    void prepare() {
        const auto compile = [&](sqlite3_stmt** into, const char* sql) {
            require(sqlite3_prepare_v2(database_, sql, -1, into, nullptr), database_);
        };
        compile(&owner_,
                "UPDATE penstock_owner SET seq = seq + 1, next_offset = ?1 "
                "WHERE grp = 'penstock' AND topic = 'sale' AND part = 0");
        compile(
            &processed_,
            "INSERT INTO penstock_processed VALUES (?1, 0, ?2, 1, NULL, ?3, 'sale', 0, ?4, ?5)");
        compile(&grant_, "INSERT INTO sale_grant VALUES ('bench', ?1, 0, ?2, 1, ?3, NULL, ?4, ?5)");
        compile(&stock_,
                "UPDATE sale_stock SET granted = granted + ?1, version = version + 1 "
                "WHERE campaign = 'bench'");
    }
    void claim(std::size_t position, const Uuid& id, std::int64_t now) {
        const auto number = static_cast<std::int64_t>(position);
        const std::string reply = fmt::format(R"({{"claim_id":"{}","position":{},"offset":{}}})",
                                              format_uuid(id), number, number);
        const std::string user = fmt::format("user-{}", position);
        sqlite3_bind_blob(processed_, 1, id.bytes.data(), 16, SQLITE_STATIC);
        sqlite3_bind_blob(processed_, 2, id.bytes.data(), 16, SQLITE_STATIC);
        sqlite3_bind_blob(processed_, 3, reply.data(), static_cast<int>(reply.size()),
                          SQLITE_STATIC);
        sqlite3_bind_int64(processed_, 4, number);
        sqlite3_bind_int64(processed_, 5, now);
        step(processed_);
        sqlite3_bind_text(grant_, 1, user.data(), static_cast<int>(user.size()), SQLITE_STATIC);
        sqlite3_bind_int64(grant_, 2, number);
        sqlite3_bind_blob(grant_, 3, id.bytes.data(), 16, SQLITE_STATIC);
        sqlite3_bind_int64(grant_, 4, number);
        sqlite3_bind_int64(grant_, 5, now);
        step(grant_);
    }
    void settle(std::size_t claims, std::size_t next) {
        sqlite3_bind_int64(owner_, 1, static_cast<std::int64_t>(next));
        step(owner_);
        sqlite3_bind_int64(stock_, 1, static_cast<std::int64_t>(claims));
        step(stock_);
    }

private:
    void step(sqlite3_stmt* statement) {
        require(sqlite3_step(statement), database_);
        sqlite3_reset(statement);
    }

    sqlite3* database_ = nullptr;
    sqlite3_stmt *owner_ = nullptr, *processed_ = nullptr, *grant_ = nullptr, *stock_ = nullptr;
};

}  // namespace

double bare_sale(const std::string& path, std::size_t grants, std::size_t per_transaction) {
    Env& env = system_env();
    Database database(path);
    database.prepare();
    const MonoTime began = env.clock.mono();
    std::size_t done = 0;
    while (done < grants) {
        const std::size_t batch = std::min(per_transaction, grants - done);
        const LogTime now = env.clock.wall();
        database.run("BEGIN IMMEDIATE");
        for (std::size_t i = 0; i < batch; ++i) {
            database.claim(done + i + 1, make_uuid_v7(now, env.random), unix_ms(now));
        }
        done += batch;
        database.settle(batch, done);
        database.run("COMMIT");
    }
    return seconds_since(began);
}

}  // namespace penstock::bench
