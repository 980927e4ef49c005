// The sale's rows into a real PostgreSQL server, as it is durable by default.
#include <fmt/format.h>

#include <cstdlib>

#include "bench/measure.h"
#include "bench/sql_workload.h"
#include "penstock/store/postgres/connection.h"
#include "penstock/store/postgres/postgres_store.h"
#include "test/kit/engines.h"

namespace penstock::bench {
namespace {

int run(int argc, char** argv) {
    test::Engines engines;
    PostgresOptions options;
    options.url = engines.start("postgres", "postgres").url;
    int count = 0;
    return run_sql_bench("postgres", argc, argv, [&] {
        const std::string name = fmt::format("bench_{}", ++count);
        postgres::Connection connection(options, system_env());
        require(connection.open({}));
        require(connection.query(("CREATE DATABASE " + name).c_str()));
        PostgresOptions own = options;
        own.url = options.url.substr(0, options.url.rfind('/') + 1) + name;
        return require(PostgresStore::open(own, system_env()));
    });
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
