#include "penstock/base/posix_files.h"
#include "penstock/store/sqlite/connection.h"
#include "penstock/store/sqlite/sqlite_store.h"
#include "test/contract/store_contract.h"
#include "test/kit/sim_files.h"
#include "test/kit/sim_vfs.h"
#include "test/kit/temp_dir.h"

namespace penstock::test {
namespace {

class SqliteSubject : public StoreSubject {
public:
    explicit SqliteSubject(Env& env) : env_(env) {}
    std::unique_ptr<Store> open() override {
        auto store = SqliteStore::open(options_, env_);
        EXPECT_TRUE(store) << store.error().text;
        return store ? std::move(*store) : nullptr;
    }
    void foreign(const std::string& sql) override {
        sqlite::Connection connection(options_, env_, std::chrono::seconds(1));
        ASSERT_TRUE(connection.open(Role::owner));
        ASSERT_TRUE(connection.execute(sql.c_str()));
    }

protected:
    Env& env_;
    SqliteOptions options_;
};

class RealFile final : public SqliteSubject {
public:
    RealFile() : SqliteSubject(system_env()) { options_.path = directory_.path() + "/store.db"; }

private:
    TempDir directory_;
};

class SimFile final : public SqliteSubject {
public:
    SimFile() : SqliteSubject(own_env_), vfs_("store-contract", own_env_) {
        options_.path = "/store.db";
        options_.vfs = vfs_.name();
    }
    void cut_power() override {
        vfs_.crash();
        files_.crash_keeping_nothing();
    }

private:
    SimFiles files_;
    Env own_env_{system_env().clock, system_env().random, system_env().executor, files_};
    SimVfs vfs_;
};

INSTANTIATE_TEST_SUITE_P(
    Sqlite, StoreContract,
    ::testing::Values(StoreAdapter{"File", [] { return std::make_unique<RealFile>(); }, false},
                      StoreAdapter{"SimFile", [] { return std::make_unique<SimFile>(); }, false}),
    adapter_name);

const Migration kRows{"rows", 1, {"CREATE TABLE rows (n INTEGER PRIMARY KEY, b BLOB)"}};

/// SQLite on a disk with faults.
class SqliteFaults : public ::testing::Test {
protected:
    void SetUp() override {
        options_.path = "/store.db";
        options_.vfs = vfs_.name();
        // More than a commit here writes before its fault: a checkpoint beside it would take that.
        options_.checkpoint_pages = 50;
        options_.restart_pages = 50;
        open();
    }
    void open() {
        session_.reset();
        store_.reset();
        auto store = SqliteStore::open(options_, env_);
        ASSERT_TRUE(store) << store.error().text;
        store_ = std::move(*store);
        ASSERT_TRUE(store_->prepare_schema({&kRows, 1}));
        auto session = store_->open(Role::owner, {});
        ASSERT_TRUE(session);
        session_ = std::move(*session);
        insert_ = session_->prepare("INSERT INTO rows (n, b) VALUES (:n, :b)").value();
    }
    Result<void> put(std::int64_t n, std::size_t bytes = 100) {
        const std::string blob(bytes, 'b');
        const Value row[] = {n, as_bytes(blob)};
        PENSTOCK_TRY(session_->begin());
        if (const auto rows = run_one(*session_, insert_, row); !rows) return rows.error();
        return session_->commit();
    }
    std::int64_t count() {
        const auto sql = session_->prepare("SELECT count(*) FROM rows");
        EXPECT_TRUE(sql && session_->begin());
        const auto rows = run_one(*session_, *sql, {});
        session_->rollback();
        return rows ? rows->table.integer(0, 0) : -1;
    }

    std::uint64_t wal_bytes() {
        const auto wal = files_.open("/store.db-wal", OpenMode::read);
        return wal ? (*wal)->size().value() : 0;
    }

    SimFiles files_;
    Env env_{system_env().clock, system_env().random, system_env().executor, files_};
    SimVfs vfs_{"store-faults", env_};
    SqliteOptions options_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<Session> session_;
    StatementId insert_;
};

TEST_F(SqliteFaults, AFailedSyncOfACommitIsUnknownAndTheSessionGoesOnAfterReconnect) {
    ASSERT_TRUE(put(1));
    files_.inject({DiskOp::sync, 1, false, Code::io, 0, "-wal"});
    const auto done = put(2);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::io) << done.error().text;
    EXPECT_EQ(done.error().effect, Effect::unknown);
    EXPECT_EQ(done.error().lost, Lost::session);
    ASSERT_TRUE(session_->reconnect());
    EXPECT_EQ(count(), 1);
    ASSERT_TRUE(put(2));
    EXPECT_EQ(count(), 2);
}

TEST_F(SqliteFaults, AFullDiskIsNoSpaceAndLosesNothingCommitted) {
    ASSERT_TRUE(put(1));
    constexpr std::size_t kLongerThanTheWal = 1'000'000;
    files_.set_capacity(0);
    const auto done = put(2, kLongerThanTheWal);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::no_space) << done.error().text;
    EXPECT_GE(done.error().lost, Lost::transaction);
    session_->rollback();
    files_.set_capacity(1 << 30);
    ASSERT_TRUE(session_->reconnect());
    EXPECT_EQ(count(), 1);
    ASSERT_TRUE(put(2, kLongerThanTheWal));
}

// Making the WAL long ahead of its commits is worth a try, and no more.
TEST_F(SqliteFaults, AStoreOpensWithoutRoomForALongWal) {
    ASSERT_TRUE(put(1));
    session_.reset();
    store_.reset();
    options_.restart_pages = 10'000;
    files_.inject({DiskOp::write, 3, false, Code::no_space, 0, "-wal"});
    open();
    EXPECT_LT(wal_bytes(), 3u * 64 * 1024);
    ASSERT_TRUE(put(2));
    EXPECT_EQ(count(), 2);

    session_.reset();
    store_.reset();
    files_.inject({DiskOp::sync, 1, false, Code::io, 0, "-wal"});
    open();
    ASSERT_TRUE(put(3));
    EXPECT_EQ(count(), 3);
}

TEST_F(SqliteFaults, CommitsWriteOverAWalThatIsLongAlready) {
    const std::uint64_t before = wal_bytes();
    EXPECT_GT(before, 100u * 4096);
    ASSERT_TRUE(put(1, 20'000));
    EXPECT_EQ(wal_bytes(), before);
    // What follows the commit in the file is no part of the database.
    vfs_.crash();
    files_.crash_keeping_nothing();
    open();
    EXPECT_EQ(count(), 1);
    ASSERT_TRUE(put(2));
    EXPECT_EQ(count(), 2);
}

TEST_F(SqliteFaults, RunAfterTheTransactionWasLostNeverCommitsByItself) {
    const auto rollback_all = session_->prepare("INSERT OR ROLLBACK INTO rows (n) VALUES (:n)");
    ASSERT_TRUE(rollback_all);
    ASSERT_TRUE(put(1));
    ASSERT_TRUE(session_->begin());
    const Value again[] = {std::int64_t{1}};
    const auto clash = run_one(*session_, *rollback_all, again);
    ASSERT_FALSE(clash);
    EXPECT_EQ(clash.error().code, Code::constraint);
    EXPECT_EQ(clash.error().lost, Lost::transaction);
    const Value fresh[] = {std::int64_t{2}, std::monostate{}};
    const auto after = run_one(*session_, insert_, fresh);
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().lost, Lost::transaction);
    EXPECT_FALSE(session_->commit());
    session_->rollback();
    EXPECT_EQ(count(), 1);
}

TEST(SqliteFile, WhatIsNotADatabaseIsDamagedAndLeftAlone) {
    TempDir directory;
    SqliteOptions options;
    options.path = directory.path() + "/store.db";
    const std::string text(5000, 'x');
    auto file = system_env().files.open(options.path, OpenMode::create);
    ASSERT_TRUE(file && (*file)->write(0, as_bytes(text)));
    const auto store = SqliteStore::open(options, system_env());
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::damaged) << store.error().text;
    std::string now(6000, ' ');
    EXPECT_EQ((*file)->read(0, std::as_writable_bytes(std::span(now))).value(), text.size());
    EXPECT_EQ(now.substr(0, text.size()), text);
}

TEST(SqliteFile, ReadOnlyNeedsAFileAndRefusesOwners) {
    TempDir directory;
    SqliteOptions options;
    options.path = directory.path() + "/store.db";
    options.read_only = true;
    const auto none = SqliteStore::open(options, system_env());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::not_found) << none.error().text;
    options.read_only = false;
    const auto writer = SqliteStore::open(options, system_env());
    ASSERT_TRUE(writer && (*writer)->prepare_schema({&kRows, 1}));
    options.read_only = true;
    const auto store = SqliteStore::open(options, system_env());
    ASSERT_TRUE(store) << store.error().text;
    EXPECT_FALSE((*store)->open(Role::owner, {}));
    const auto reader = (*store)->open(Role::reader, {});
    ASSERT_TRUE(reader) << reader.error().text;
    EXPECT_TRUE((*reader)->prepare("SELECT n FROM rows"));
}

// A writer that never rests must not keep the WAL from starting anew.
TEST(SqliteFile, TheWalStaysBoundedUnderASteadyWriter) {
    TempDir directory;
    SqliteOptions options;
    options.path = directory.path() + "/store.db";
    options.checkpoint_pages = 50;
    options.restart_pages = 200;
    auto store = SqliteStore::open(options, system_env());
    ASSERT_TRUE(store && (*store)->prepare_schema({&kRows, 1}));
    const auto session = (*store)->open(Role::owner, {});
    ASSERT_TRUE(session);
    const auto insert = (*session)->prepare("INSERT INTO rows (n, b) VALUES (:n, :b)");
    const std::string blob(4000, 'b');
    for (std::int64_t n = 1; n <= 5000; ++n) {
        const Value row[] = {n, as_bytes(blob)};
        ASSERT_TRUE((*session)->begin());
        ASSERT_TRUE(run_one(**session, *insert, row));
        ASSERT_TRUE((*session)->commit());
    }
    auto wal = system_env().files.open(options.path + "-wal", OpenMode::read);
    ASSERT_TRUE(wal);
    EXPECT_LT((*wal)->size().value(), 5000u * 4000 / 2);
}

}  // namespace
}  // namespace penstock::test
