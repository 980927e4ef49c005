#include "penstock/gate/local/unit_table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "penstock/base/env.h"
#include "test/kit/seed.h"

namespace penstock {
namespace {

UnitTable::Key key_of(std::uint64_t number) {
    UnitTable::Key key;
    std::memcpy(key.bytes.data(), &number, sizeof number);
    return key;
}

void insert(UnitTable& table, std::uint64_t number, std::uint32_t value) {
    const auto key = key_of(number);
    table.insert(key, table.spot_of(key), value);
}

std::uint32_t value_of(UnitTable& table, std::uint64_t number) {
    const auto key = key_of(number);
    const std::uint32_t* const value = table.find(key, table.spot_of(key));
    return value == nullptr ? 0 : *value;
}

TEST(UnitTable, KeepsEveryEntryWhileItGrowsOverManySegments) {
    SegmentPool pool;
    UnitTable table(system_env().random, pool);
    constexpr std::uint64_t kEntries = 100'000;
    for (std::uint64_t i = 0; i < kEntries; ++i) {
        ASSERT_EQ(value_of(table, i), 0U) << i;
        insert(table, i, static_cast<std::uint32_t>(i + 1));
    }
    EXPECT_EQ(table.size(), kEntries);
    for (std::uint64_t i = 0; i < kEntries; ++i) ASSERT_EQ(value_of(table, i), i + 1);
    EXPECT_LT(table.memory_bytes(), kEntries * 60);
}

TEST(UnitTable, ErasesWithoutLosingItsNeighboursOrLeavingMarks) {
    SegmentPool pool;
    UnitTable table(system_env().random, pool);
    constexpr std::uint64_t kEntries = 20'000;
    for (std::uint64_t i = 0; i < kEntries; ++i) insert(table, i, 1);
    const std::uint64_t before = table.memory_bytes();
    for (int round = 0; round < 20; ++round) {
        for (std::uint64_t i = 0; i < kEntries; i += 2) {
            ASSERT_TRUE(table.erase(key_of(i), table.spot_of(key_of(i))));
            ASSERT_FALSE(table.erase(key_of(i), table.spot_of(key_of(i))));
        }
        for (std::uint64_t i = 1; i < kEntries; i += 2) ASSERT_EQ(value_of(table, i), 1U);
        for (std::uint64_t i = 0; i < kEntries; i += 2) insert(table, i, 1);
    }
    EXPECT_EQ(table.size(), kEntries);
    EXPECT_EQ(table.memory_bytes(), before);
}

TEST(UnitTable, AgreesWithAnOrderedMap) {
    const test::Seed seed;
    std::mt19937_64 chance(seed.value());
    SegmentPool pool;
    UnitTable table(system_env().random, pool);
    std::map<std::uint64_t, std::uint32_t> model;
    for (int i = 0; i < 300'000; ++i) {
        const std::uint64_t number = chance() % 30'000;
        const auto key = key_of(number);
        const auto spot = table.spot_of(key);
        const auto at = model.find(number);
        std::uint32_t* const value = table.find(key, spot);
        ASSERT_EQ(value != nullptr, at != model.end());
        if (value == nullptr) {
            const auto fresh = static_cast<std::uint32_t>(chance() | 1);
            table.insert(key, spot, fresh);
            model[number] = fresh;
        } else if (chance() % 3 == 0) {
            ASSERT_EQ(*value, at->second);
            ASSERT_TRUE(table.erase(key, spot));
            model.erase(at);
        }
        ASSERT_EQ(table.size(), model.size());
    }
    for (const auto& [number, value] : model) ASSERT_EQ(value_of(table, number), value);
}

}  // namespace
}  // namespace penstock
