// The sale's rows into a real MariaDB server, as it is durable by default.
#include <fmt/format.h>

#include <cstdlib>

#include "bench/measure.h"
#include "bench/sql_workload.h"
#include "penstock/store/mariadb/connection.h"
#include "penstock/store/mariadb/mariadb_store.h"
#include "test/kit/engines.h"

namespace penstock::bench {
namespace {

int run(int argc, char** argv) {
    test::Engines engines;
    const std::string url = engines.start("mariadb", "mariadb").url;
    int count = 0;
    return run_sql_bench("mariadb", argc, argv, [&] {
        const std::string name = fmt::format("bench_{}", ++count);
        MariadbOptions options;
        const auto endpoint = require(mariadb::parse_endpoint(url));
        mariadb::Connection connection(options, endpoint, {});
        require(connection.open(Role::owner));
        require(connection.execute("CREATE DATABASE " + name));
        options.url = url.substr(0, url.rfind('/') + 1) + name;
        return require(MariadbStore::open(options, system_env()));
    });
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
