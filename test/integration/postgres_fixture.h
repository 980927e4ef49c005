#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "penstock/runtime/ownership.h"
#include "penstock/store/postgres/postgres_store.h"
#include "test/kit/engines.h"
#include "test/kit/fault_proxy.h"

namespace penstock::test {

/// True as soon as `holds`; false if it does not within 30 s.
bool eventually(const std::function<bool()>& holds);

/// A PostgreSQL server for the tests of one suite, behind a proxy; a fresh database for each test.
class PostgresTest : public ::testing::Test {
protected:
    static void SetUpTestSuite();
    static void TearDownTestSuite();
    void SetUp() override;

    /// The test's database: straight, or through the proxy.
    std::string url() const;
    std::string proxied_url() const;
    static std::string url_of(int port, const std::string& user, const std::string& database);
    /// As the server's superuser, outside of the adapter. Returns the first cell.
    std::string execute(const std::string& sql);

    std::unique_ptr<PostgresStore> store_at(const std::string& url);
    std::unique_ptr<PostgresStore> store_of(const PostgresOptions& options);
    /// What opening a store there says.
    Error refusal_at(const std::string& url);
    static std::unique_ptr<Session> session_of(Store& store, SessionLimits limits = {});
    static Result<Rows> run(Session& session, const std::string& sql,
                            std::vector<Value> values = {});
    /// Of `sql`, in a transaction of its own.
    static std::int64_t integer(Session& session, const std::string& sql);
    /// Tries again while the server comes back.
    static bool mend(Session& session);

    static inline std::unique_ptr<Engines> engines_;
    static inline EngineAt server_;
    static inline std::unique_ptr<FaultProxy> proxy_;
    std::string database_;
};

/// An owner of partition 0 of topic "t", as the runtime is one: epoch, fence, read-back.
class OwnerOfT {
public:
    explicit OwnerOfT(Session& session) : session_(session) {}
    void take();
    /// begin(), then the fence.
    Result<void> begin();
    /// After a commit that was done.
    void keep() { Ownership::keep(owned, advance_); }
    Result<bool> was_committed() { return ownership_.was_committed(session_, owned); }

    Owned owned;

private:
    Session& session_;
    Ownership ownership_{Owner{"test", {}, true}};
    Advance advance_{};
};

}  // namespace penstock::test
