#include <fmt/format.h>
#include <libpq-fe.h>

#include "penstock/base/env.h"
#include "penstock/store/postgres/connection.h"
#include "penstock/store/postgres/postgres_store.h"
#include "test/contract/store_contract.h"
#include "test/kit/engines.h"

namespace penstock::test {
namespace {

/// The server of this program.
class Server : public ::testing::Environment {
public:
    static inline Server* one = nullptr;
    Server() { one = this; }
    void SetUp() override {
        engines_ = std::make_unique<Engines>();
        url = engines_->start("postgres", "postgres").url;
    }
    void TearDown() override { engines_.reset(); }
    void kill_and_restart() { engines_->restart("postgres"); }

    std::string url;

private:
    std::unique_ptr<Engines> engines_;
};

[[maybe_unused]] const auto* const kServer =
    ::testing::AddGlobalTestEnvironment(new Server);  // GoogleTest owns it

void execute(const std::string& url, const std::string& sql) {
    PostgresOptions options;
    options.url = url;
    postgres::Connection connection(options, system_env());
    ASSERT_TRUE(connection.open({}));
    const auto done = connection.query(sql.c_str());
    ASSERT_TRUE(done) << done.error().text;
}

/// A database of its own for each test.
class FreshDatabase final : public StoreSubject {
public:
    FreshDatabase() {
        static int count = 0;
        name_ = fmt::format("test_{}", ++count);
        execute(Server::one->url, "CREATE DATABASE " + name_);
        url_ = Server::one->url.substr(0, Server::one->url.rfind('/') + 1) + name_;
    }
    ~FreshDatabase() override {
        execute(Server::one->url, fmt::format("DROP DATABASE {} WITH (FORCE)", name_));
    }
    std::unique_ptr<Store> open() override {
        PostgresOptions options;
        options.url = url_;
        auto store = PostgresStore::open(options, system_env());
        EXPECT_TRUE(store) << store.error().text;
        return store ? std::move(*store) : nullptr;
    }
    void cut_power() override { Server::one->kill_and_restart(); }
    void foreign(const std::string& sql) override { execute(url_, sql); }

private:
    std::string name_, url_;
};

INSTANTIATE_TEST_SUITE_P(Postgres, StoreContract,
                         ::testing::Values(StoreAdapter{
                             "Server", [] { return std::make_unique<FreshDatabase>(); }, true,
                             false}),
                         adapter_name);

}  // namespace
}  // namespace penstock::test
