// The sale in one process on real threads: many callers, exactly N grants, one answer each.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "penstock/apps/sale/sale.h"
#include "test/scenario/sale_node.h"

namespace penstock {
namespace {

using test::Asked;
using test::SaleNode;

std::map<std::string, int> count_reasons(const std::vector<Asked>& all) {
    std::map<std::string, int> counts;
    for (const Asked& asked : all) ++counts[asked.word()];
    return counts;
}

TEST(Sale, OneThreadOf299RequestsGetsExactly100Units) {
    SaleNode node;
    node.create_campaign("c", {100, std::nullopt, {}, {}});
    std::vector<Asked> all;
    for (int i = 0; i < 299; ++i) {
        all.push_back(node.ask({.campaign = "c", .user = "u" + std::to_string(i)}));
    }
    const auto counts = count_reasons(all);
    EXPECT_EQ(counts.at("granted"), 100);
    EXPECT_EQ(counts.at("sold_out"), 199);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(all[i].position(), i + 1);
    node.expect_exact("c", 100);
}

class SaleLimits : public ::testing::TestWithParam<std::optional<std::uint32_t>> {};

TEST_P(SaleLimits, ThreeThousandRequestsOn32ThreadsNeverGrantMore) {
    SaleNode node;
    const auto per_user = GetParam();
    node.create_campaign("c", {100, per_user, {}, {}});
    constexpr int kThreads = 32;
    constexpr int kRequests = 3'000;
    std::vector<std::vector<Asked>> by_thread(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = t; i < kRequests; i += kThreads) {
                const auto user = "u" + std::to_string(i % 30);  // 100 requests each
                by_thread[t].push_back(node.ask_until_final({.campaign = "c", .user = user}));
            }
        });
    }
    for (auto& thread : threads) thread.join();
    std::map<std::string, std::uint32_t> units;
    int granted = 0;
    for (const auto& all : by_thread) {
        for (const Asked& asked : all) {
            if (asked.word() != "granted") continue;
            ++granted;
            ++units[asked.claim.user];
        }
    }
    const int expected = per_user ? std::min(100, static_cast<int>(*per_user) * 30) : 100;
    EXPECT_EQ(granted, expected);
    for (const auto& [user, count] : units) {
        EXPECT_LE(count, per_user.value_or(100)) << user;
    }
    node.expect_exact("c", expected);
}

INSTANTIATE_TEST_SUITE_P(PerUser, SaleLimits,
                         ::testing::Values(std::optional<std::uint32_t>(1),
                                           std::optional<std::uint32_t>(5), std::nullopt));

TEST(Sale, TwoHundredNinetySixCallersOn50000UnitsAreExact) {
    SaleNode node;
    constexpr std::uint32_t kUnits = 50'000;
    node.create_campaign("c", {kUnits, 1, {}, {}});
    const auto all =
        node.ask_many({.campaign = "c", .claims = 150'000, .callers = 296, .repeat_every = 50});
    const auto counts = count_reasons(all);
    std::set<std::uint64_t> positions;
    std::map<std::string, std::string> reply_of_id;
    for (const Asked& asked : all) {
        if (asked.word() != "granted") continue;
        positions.insert(asked.position());
        const auto first = reply_of_id.emplace(asked.claim.id, asked.reply()).first;
        EXPECT_EQ(first->second, asked.reply()) << "another answer for the same id";
    }
    EXPECT_EQ(positions.size(), kUnits);
    EXPECT_EQ(*positions.begin(), 1u);
    EXPECT_EQ(*positions.rbegin(), kUnits);
    EXPECT_EQ(counts.count("error"), 0u);
    node.expect_exact("c", kUnits);
}

TEST(Sale, WorksTheSameOnTheFileLog) {
    SaleNode node({.file_log = true});
    node.create_campaign("c", {2'000, 1, {}, {}});
    const auto all =
        node.ask_many({.campaign = "c", .claims = 6'000, .callers = 64, .repeat_every = 50});
    node.expect_exact("c", 2'000);
    EXPECT_EQ(count_reasons(all).count("error"), 0u);
    node.restart();
    node.expect_exact("c", 2'000);
    EXPECT_EQ(node.ask({.campaign = "c", .user = "late"}).word(), "sold_out");
}

}  // namespace
}  // namespace penstock
