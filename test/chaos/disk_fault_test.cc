// Syncs that fail and disks that fill up, under the log, under the store, and under both, while
// callers claim: nothing acknowledged is lost, exactly the campaign's units are granted, and what
// ran out of space goes on by itself.
#include <gtest/gtest.h>

#include <iostream>

#include "test/sim/crowd.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kUnits = 400;
constexpr std::size_t kCallers = 16;

MachineOptions options(std::uint64_t seed) {
    MachineOptions options;
    options.seed = seed;
    options.file_log = true;
    options.segment_bytes = 64 * 1024;
    options.checkpoint_pages = 20;
    return options;
}

struct SyncFault {
    const char* name;
    const char* path;  ///< of the files whose sync fails
    bool for_ever;
    bool of_log;  ///< the process must end with it
};

class FailingSync : public ::testing::TestWithParam<SyncFault> {};

INSTANTIATE_TEST_SUITE_P(Of, FailingSync,
                         ::testing::Values(SyncFault{"LogOnce", "/log/", false, true},
                                           SyncFault{"LogForEver", "/log/", true, true},
                                           SyncFault{"WalOnce", "penstock.db-wal", false, false},
                                           SyncFault{"WalForEver", "penstock.db-wal", true, false},
                                           SyncFault{"DatabaseOnce", "penstock.db", false, false}),
                         [](const auto& info) { return info.param.name; });

/// Until sold out and everything compared; the machine is off or at rest before.
void finish(Machine& machine, Crowd& crowd) {
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        for (const auto& text : check_told(crowd.history(), machine.log(), machine.store())) {
            ADD_FAILURE() << text;
        }
        crowd.call([] { return false; });
        machine.shut_down();
        ASSERT_TRUE(machine.boot()) << machine.failure();
        for (const auto& text : check_sale(crowd.history(), {{"c", {kUnits, 1}}}, machine.log(),
                                           machine.store(), machine.gate())) {
            ADD_FAILURE() << text;
        }
        for (const auto& text : machine.verify()) ADD_FAILURE() << text;
        for (const auto& text : crowd.wrong()) ADD_FAILURE() << text;
        machine.shut_down();
    });
}

/// The k-th sync from the first claim on fails; then the process is gone, with what the disk had
/// not taken. Returns whether there was a k-th.
bool fail_sync(const SyncFault& fault, std::uint64_t at) {
    Machine machine(options(at));
    Crowd crowd(machine, "c", kCallers);
    SimFiles& files = machine.world().files();
    bool hit = false, fatal = false;
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, 1, {}, {}});
        files.inject({.op = DiskOp::sync,
                      .at = at,
                      .for_ever = fault.for_ever,
                      .path_contains = fault.path});
        std::size_t after = 0;  // callers may go on for a while where the process may
        crowd.call([&] {
            hit = files.faults_hit() > 0;
            fatal = machine.fatal().has_value();
            return fatal || (hit && ++after > 200);
        });
    });
    files.clear_faults();
    machine.cut_power();
    crowd.server_died();
    if (fault.of_log) {
        EXPECT_EQ(fatal, hit) << "a failed sync of the log ends the process";
    }
    finish(machine, crowd);
    return hit;
}

TEST_P(FailingSync, LosesNothingAcknowledgedWhicheverItIs) {
    std::uint64_t hits = 0;
    for (std::uint64_t at = 1; at <= 24 && !HasFailure(); ++at) {
        SCOPED_TRACE(at);
        hits += fail_sync(GetParam(), at);
    }
    EXPECT_GE(hits, GetParam().path == std::string("penstock.db") ? 1u : 12u);
    std::cout << hits << " syncs failed\n";
}

struct FullDisk {
    const char* name;
    DiskOp op;
    const char* path;
};

class NoSpace : public ::testing::TestWithParam<FullDisk> {};

INSTANTIATE_TEST_SUITE_P(Under, NoSpace,
                         ::testing::Values(FullDisk{"TheLog", DiskOp::write, "/log/"},
                                           FullDisk{"TheStore", DiskOp::write, "penstock.db"},
                                           FullDisk{"Both", DiskOp::write, "/machine"}),
                         [](const auto& info) { return info.param.name; });

/// Writes find no space for a while. A log that could not write its batch ends the process (its
/// supervisor starts it again); everything else goes on by itself once there is space.
TEST_P(NoSpace, IsSurvivedAndTheSaleGoesOn) {
    for (std::uint64_t at = 1; at <= 10; ++at) {
        SCOPED_TRACE(at);
        Machine machine(options(at));
        Crowd crowd(machine, "c", kCallers);
        SimFiles& files = machine.world().files();
        machine.run([&] {
            ASSERT_TRUE(machine.boot()) << machine.failure();
            machine.create("c", {kUnits, 1, {}, {}});
            files.inject({.op = GetParam().op,
                          .at = at,
                          .for_ever = true,
                          .code = Code::no_space,
                          .path_contains = GetParam().path});
            Clock& clock = machine.world().env().clock;
            const MonoTime full_until = clock.mono() + 3s;
            crowd.call([&] { return clock.mono() >= full_until; });
            EXPECT_GT(files.faults_hit(), 0u);
            EXPECT_LT(files.faults_hit(), 5'000u) << "busy where it should wait";
            files.clear_faults();
            if (machine.fatal()) return;
            const std::size_t before = crowd.outcomes();
            crowd.call([&] { return crowd.outcomes() >= before + 50; });
        });
        if (machine.fatal()) machine.cut_power(), crowd.server_died();
        if (machine.is_up()) {
            machine.run([&] {
                crowd.call([&] { return crowd.in_flight() == 0 || crowd.sold_out(); });
                machine.shut_down();
            });
        }
        crowd.server_died();
        finish(machine, crowd);
        if (HasFailure()) return;
    }
}

TEST(LowWater, RefusesBeforeTheDiskIsFullAndAdmitsAgain) {
    MachineOptions given = options(1);
    given.node.data_directory = "/machine";
    given.node.low_water_bytes = 4 << 20;
    Machine machine(given);
    Crowd crowd(machine, "c", kCallers);
    SimFiles& files = machine.world().files();
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, 1, {}, {}});
        crowd.call([&] { return crowd.outcomes() >= 50; });
        const std::uint64_t used = (std::uint64_t{1} << 40) - *files.free_bytes("/machine");
        files.set_capacity(used + (2 << 20));
        machine.sleep(1s);
        const Answered refused = machine.ask(ClaimForm{"c", "poor", "poor", 1, {}, false});
        EXPECT_EQ(word_of(refused), "error no_space none");
        const std::size_t before = crowd.outcomes();
        const MonoTime later = machine.world().env().clock.mono() + 2s;
        crowd.call([&] { return machine.world().env().clock.mono() >= later; });
        EXPECT_LE(crowd.outcomes(), before + kCallers) << "no more than were in line";
        EXPECT_FALSE(machine.fatal());
        files.set_capacity(std::uint64_t{1} << 40);
        machine.sleep(1s);
        crowd.call([] { return false; });
        EXPECT_TRUE(crowd.sold_out());
        machine.shut_down();
    });
    finish(machine, crowd);
}

}  // namespace
}  // namespace penstock::test
