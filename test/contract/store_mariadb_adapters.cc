#include <gtest/gtest.h>

#include <atomic>

#include "penstock/store/mariadb/connection.h"
#include "penstock/store/mariadb/mariadb_store.h"
#include "test/contract/store_contract.h"
#include "test/kit/engines.h"

namespace penstock::test {
namespace {

/// The one server of this program, with a database for each test.
class Server {
public:
    static Server& of_this_program() {
        static Server server;
        return server;
    }

    std::string url_of_new_database() {
        const std::string name = "test_" + std::to_string(++databases_);
        const auto endpoint = mariadb::parse_endpoint(at_.url);
        EXPECT_TRUE(endpoint);
        const MariadbOptions options;
        mariadb::Connection connection(options, *endpoint, {});
        EXPECT_TRUE(connection.open(Role::owner));
        EXPECT_TRUE(connection.execute("CREATE DATABASE " + name + " CHARACTER SET latin1"));
        return at_.url.substr(0, at_.url.rfind('/') + 1) + name;
    }

private:
    Engines engines_;
    const EngineAt at_ = engines_.start("mariadb", "mariadb");
    int databases_ = 0;
};

class MariadbSubject final : public StoreSubject {
public:
    MariadbSubject() { options_.url = Server::of_this_program().url_of_new_database(); }
    std::unique_ptr<Store> open() override {
        auto store = MariadbStore::open(options_, system_env());
        EXPECT_TRUE(store) << store.error().text;
        return store ? std::move(*store) : nullptr;
    }
    void foreign(const std::string& sql) override {
        const auto endpoint = mariadb::parse_endpoint(options_.url);
        mariadb::Connection connection(options_, *endpoint, {});
        ASSERT_TRUE(connection.open(Role::owner));
        const auto done = connection.execute(sql);
        ASSERT_TRUE(done) << done.error().text;
    }

private:
    MariadbOptions options_;
};

INSTANTIATE_TEST_SUITE_P(Mariadb, StoreContract,
                         ::testing::Values(StoreAdapter{
                             "Server", [] { return std::make_unique<MariadbSubject>(); }, true}),
                         adapter_name);

}  // namespace
}  // namespace penstock::test
