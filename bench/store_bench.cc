// The sale's rows through the store port, beside a bare SQLite loop that writes the same.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bare_sqlite.h"
#include "bench/measure.h"
#include "penstock/base/uuid.h"
#include "penstock/store/sqlite/sqlite_store.h"
#include "test/kit/temp_dir.h"

namespace penstock::bench {
namespace {

constexpr std::size_t kPerTransaction = 296;

std::vector<Migration> tables() {
    return {
        {"bench",
         1,
         {"CREATE TABLE owner (grp TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, "
          "seq INTEGER, next_offset INTEGER, PRIMARY KEY (grp, topic, part)) WITHOUT ROWID",
          "INSERT INTO owner VALUES ('penstock', 'sale', 0, 0, 0)",
          "CREATE TABLE processed (id BLOB NOT NULL, part INTEGER NOT NULL, body_hash BLOB NOT "
          "NULL, outcome INTEGER NOT NULL, reason TEXT, reply BLOB NOT NULL, topic TEXT NOT "
          "NULL, partition_no INTEGER NOT NULL, record_offset INTEGER NOT NULL, decided_at "
          "INTEGER NOT NULL, PRIMARY KEY (id, part)) WITHOUT ROWID",
          "CREATE TABLE stock (campaign TEXT PRIMARY KEY, quantity INTEGER NOT NULL, granted "
          "INTEGER NOT NULL CHECK (granted >= 0 AND granted <= quantity), version INTEGER NOT "
          "NULL) WITHOUT ROWID",
          "INSERT INTO stock VALUES ('bench', 2000000000, 0, 0)",
          "CREATE TABLE grants (campaign TEXT NOT NULL, user_id TEXT NOT NULL, position INTEGER "
          "NOT NULL, quantity INTEGER NOT NULL CHECK (quantity > 0), id BLOB NOT NULL, id_text "
          "TEXT, record_offset INTEGER NOT NULL, granted_at INTEGER NOT NULL, PRIMARY KEY "
          "(campaign, user_id, position)) WITHOUT ROWID"}}};
}

/// What bare_sale() does, with run_many() on a session.
class PortSale {
public:
    explicit PortSale(Session& session) : session_(session) {
        owner_ =
            require(session.prepare("UPDATE owner SET seq = seq + 1, next_offset = :next "
                                    "WHERE grp = 'penstock' AND topic = 'sale' AND part = 0"));
        processed_ = require(session.prepare(
            "INSERT INTO processed VALUES (:id, 0, :hash, 1, NULL, :reply, 'sale', 0, :at, :now)"));
        grant_ = require(session.prepare(
            "INSERT INTO grants VALUES ('bench', :user, :position, 1, :id, NULL, :at, :now)"));
        stock_ = require(
            session.prepare("UPDATE stock SET granted = granted + :n, version = version + 1 "
                            "WHERE campaign = 'bench'"));
    }

    void transaction(std::size_t first, std::size_t count, Env& env) {
        fill(first, count, env);
        require(session_.begin());
        require(session_.run_many(processed_, processed_rows_));
        require(session_.run_many(grant_, grant_rows_));
        const Value next[] = {static_cast<std::int64_t>(first + count)};
        const Value sold[] = {static_cast<std::int64_t>(count)};
        require(run_one(session_, owner_, next));
        require(run_one(session_, stock_, sold));
        require(session_.commit());
    }

private:
    void fill(std::size_t first, std::size_t count, Env& env) {
        const LogTime now = env.clock.wall();
        ids_.resize(count);
        replies_.resize(count);
        users_.resize(count);
        processed_rows_.clear();
        grant_rows_.clear();
        for (std::size_t i = 0; i < count; ++i) {
            const auto number = static_cast<std::int64_t>(first + i);
            ids_[i] = make_uuid_v7(now, env.random);
            replies_[i] = fmt::format(R"({{"claim_id":"{}","position":{},"offset":{}}})",
                                      format_uuid(ids_[i]), number, number);
            users_[i] = fmt::format("user-{}", number);
            const Bytes id = std::as_bytes(std::span(ids_[i].bytes));
            processed_rows_.insert(processed_rows_.end(),
                                   {id, id, as_bytes(replies_[i]), number, unix_ms(now)});
            grant_rows_.insert(grant_rows_.end(),
                               {std::string_view(users_[i]), number, id, number, unix_ms(now)});
        }
    }

    Session& session_;
    StatementId owner_, processed_, grant_, stock_;
    std::vector<Uuid> ids_;
    std::vector<std::string> replies_, users_;
    std::vector<Value> processed_rows_, grant_rows_;
};

double port_sale(const std::string& path, std::size_t grants) {
    Env& env = system_env();
    SqliteOptions options;
    options.path = path;
    const auto store = require(SqliteStore::open(options, env));
    require(store->prepare_schema(tables()));
    const auto session = require(store->open(Role::owner, {}));
    PortSale sale(*session);
    const MonoTime began = env.clock.mono();
    for (std::size_t done = 0; done < grants; done += kPerTransaction) {
        sale.transaction(done + 1, std::min(kPerTransaction, grants - done), env);
    }
    return seconds_since(began);
}

void measure(std::size_t grants, std::size_t runs) {
    std::vector<double> bare, port, ratio;
    for (std::size_t run = 0; run < runs; ++run) {
        test::TempDir directory;
        bare.push_back(bare_sale(directory.path() + "/bare.db", grants, kPerTransaction));
        port.push_back(port_sale(directory.path() + "/port.db", grants));
        ratio.push_back(port.back() / bare.back());
    }
    const auto rates = [&](std::vector<double> seconds) {
        for (double& value : seconds) value = static_cast<double>(grants) / value;
        return seconds;
    };
    print_figure("store", "bare_sqlite_grants_per_s", rates(bare));
    print_figure("store", "port_grants_per_s", rates(port));
    print_figure("store", "port_of_bare_seconds", ratio);
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
    std::size_t grants = 50'000;
    std::size_t runs = 5;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--small") {
            grants = 2'000;
            runs = 1;
        } else if (argument == "--runs" && i + 1 < argc) {
            runs = std::max<std::size_t>(1, std::strtoul(argv[++i], nullptr, 10));
        } else {
            fmt::print(stderr, "usage: store_bench [--runs N] [--small]\n");
            return 64;
        }
    }
    penstock::bench::measure(grants, runs);
    return 0;
}
