#include "test/kit/sim_vfs.h"

#include <gtest/gtest.h>

#include "penstock/store/sqlite/sqlite_store.h"
#include "test/kit/fiber_executor.h"
#include "test/kit/seed.h"
#include "test/kit/sim_files.h"

namespace penstock::test {
namespace {

const Migration kMigration{"numbers", 1, {"CREATE TABLE numbers (n INTEGER PRIMARY KEY, t BLOB)"}};

/// A machine with one database; each life opens it, checks it and commits some more.
class Machine {
public:
    Machine(std::uint64_t seed, bool durable)
        : random_(seed), executor_(~seed), durable_(durable), vfs_("sim-vfs-test", env_) {
        files_.set_yield([this] { executor_.yield(); });
    }

    /// Commits numbers one by one until the power fails. The numbers that stood at its start.
    std::int64_t live() {
        std::int64_t found = 0;
        executor_.run([&] { open(&found); });
        const auto task = executor_.spawn("writer", [&] { write(found); });
        const std::uint64_t moment = executor_.switches() + random_.below(3'000);
        executor_.run_until([&] { return executor_.switches() >= moment; });
        executor_.kill_all();
        vfs_.crash();
        files_.crash(random_);
        abandon(std::move(session_));
        abandon(std::move(store_));
        return found;
    }
    std::int64_t committed() const { return committed_; }

private:
    void open(std::int64_t* found) {
        SqliteOptions options;
        options.path = "/store.db";
        options.vfs = vfs_.name();
        options.durable = durable_;
        options.checkpoint_pages = 8;
        options.restart_pages = 24;
        options.truncate_pages = 64;
        auto store = SqliteStore::open(options, env_);
        ASSERT_TRUE(store) << store.error().text;
        store_ = std::move(*store);
        const auto schema = store_->prepare_schema({&kMigration, 1});
        ASSERT_TRUE(schema) << schema.error().text;
        auto session = store_->open(Role::owner, {});
        ASSERT_TRUE(session) << session.error().text;
        session_ = std::move(*session);
        const auto count = session_->prepare("SELECT count(*), max(n) FROM numbers");
        ASSERT_TRUE(count && session_->begin());
        const auto rows = run_one(*session_, *count, {});
        ASSERT_TRUE(rows) << rows.error().text;
        EXPECT_EQ(rows->table.integer(0, 0), rows->table.integer(0, 1));
        session_->rollback();
        *found = rows->table.integer(0, 0);
    }

    void write(std::int64_t last) {
        const auto insert = session_->prepare("INSERT INTO numbers (n, t) VALUES (:n, :t)");
        const std::string text(300, 'x');
        while (insert) {
            const Value row[] = {++last, as_bytes(text)};
            if (!session_->begin() || !run_one(*session_, *insert, row) || !session_->commit()) {
                return;
            }
            committed_ = last;
        }
    }

    SimFiles files_;
    SeededRandom random_;
    FiberExecutor executor_;
    Env env_{executor_, random_, executor_, files_};
    const bool durable_;
    SimVfs vfs_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<Session> session_;
    std::int64_t committed_ = 0;
};

struct Lost {
    int commits = 0;  ///< lives at whose start a committed number was missing
    std::int64_t written = 0;
};

Lost lives(std::uint64_t seed, bool durable, int count) {
    Machine machine(seed, durable);
    Lost lost;
    std::int64_t committed = 0;
    for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
        const std::int64_t found = machine.live();
        if (found < committed) ++lost.commits;
        committed = std::max(found, machine.committed());
    }
    lost.written = committed;
    return lost;
}

TEST(SimVfs, FullLosesNoCommitOver200PowerCuts) {
    Seed seed;
    const Lost lost = lives(seed.value(), true, 200);
    EXPECT_EQ(lost.commits, 0);
    EXPECT_GT(lost.written, 200);
}

// Without syncs the database may be damaged as well, so each machine lives until it shows.
TEST(SimVfs, SynchronousOffLosesCommits) {
    Seed seed;
    bool is_bitten = false;
    for (std::uint64_t i = 0; i < 20 && !is_bitten; ++i) {
        SimFiles files;
        FiberExecutor executor(seed.value() + i);
        SeededRandom random(seed.value() + i);
        Env env{executor, random, executor, files};
        SimVfs vfs("sim-vfs-off", env);
        SqliteOptions options;
        options.path = "/store.db";
        options.vfs = vfs.name();
        options.durable = false;
        executor.run([&] {
            auto store = SqliteStore::open(options, env);
            ASSERT_TRUE(store) << store.error().text;
            ASSERT_TRUE((*store)->prepare_schema({&kMigration, 1}));
            abandon(std::move(*store));
        });
        executor.kill_all();
        vfs.crash();
        files.crash_keeping_nothing();
        executor.run([&] {
            options.read_only = true;
            const auto store = SqliteStore::open(options, env);
            if (!store) {
                is_bitten = true;
                return;
            }
            const auto session = (*store)->open(Role::reader, {});
            is_bitten = !session || !(*session)->prepare("SELECT n FROM numbers");
        });
    }
    EXPECT_TRUE(is_bitten);
}

}  // namespace
}  // namespace penstock::test
