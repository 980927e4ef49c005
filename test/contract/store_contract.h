#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "penstock/store/store.h"

namespace penstock::test {

/// One real database for one test: empty, and made again by open() after close().
class StoreSubject {
public:
    virtual ~StoreSubject() = default;
    /// The adapter on the same database: each call a new object, as a new process has it.
    virtual std::unique_ptr<Store> open() = 0;
    /// Everything not durable is lost, where the subject can do that; Stores are closed before.
    virtual void cut_power() {}
    /// Changes the database behind the adapter's back.
    virtual void foreign(const std::string& sql) = 0;
};

struct StoreAdapter {
    std::string name;
    std::function<std::unique_ptr<StoreSubject>()> make;
    bool ends_idle_transactions = false;  ///< a server that watches them
    bool zero_in_text = true;             ///< false: refused, as invalid
};

void PrintTo(const StoreAdapter& adapter, std::ostream* out);

/// What store.h promises, for every adapter:
/// INSTANTIATE_TEST_SUITE_P(Name, StoreContract, ::testing::Values(adapter), adapter_name).
class StoreContract : public ::testing::TestWithParam<StoreAdapter> {
protected:
    void SetUp() override;
    void TearDown() override;

    /// Tables of the tests: items (id int primary key, t text, b blob, r real, n int CHECK n >= 0).
    void reopen();
    std::unique_ptr<Session> session(Role role = Role::owner, SessionLimits limits = {});
    StatementId prepared(Session& session, const std::string& sql);
    Rows run(Session& session, const std::string& sql, std::vector<Value> values = {});
    Error error_of(Session& session, const std::string& sql, std::vector<Value> values = {});
    /// One transaction with one row of items.
    void put(Session& session, std::int64_t id, std::int64_t n);
    std::int64_t count(Session& session);

    std::unique_ptr<StoreSubject> subject_;
    std::unique_ptr<Store> store_;
};

std::string adapter_name(const ::testing::TestParamInfo<StoreAdapter>& info);
std::vector<Migration> test_migrations(const Dialect& dialect);

}  // namespace penstock::test
