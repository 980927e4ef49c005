#include "penstock/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "penstock/base/strong_id.h"

namespace penstock {
namespace {

using Offset = StrongId<int, struct OffsetTag>;
using Count = StrongId<int, struct CountTag>;
static_assert(!std::is_convertible_v<int, Offset> && !std::is_convertible_v<Offset, int>);
static_assert(!std::is_constructible_v<Offset, Count> && !std::is_assignable_v<Offset&, Count>);

Result<int> half_of(int number) {
    if (number % 2 != 0) return error(Code::invalid, "give an even number");
    return number / 2;
}

Result<std::string> quarter_of(int number) {
    PENSTOCK_TRY(half_of(number));
    PENSTOCK_TRY(half_of(number / 2));
    return std::to_string(number / 4);
}

TEST(Result, IsAValueOrAnError) {
    const Result<int> value = half_of(8);
    ASSERT_TRUE(value);
    EXPECT_EQ(*value, 4);
    const Result<int> failure = half_of(7);
    ASSERT_FALSE(failure.ok());
    EXPECT_EQ(failure.error().code, Code::invalid);
    EXPECT_EQ(failure.error().effect, Effect::none);
    EXPECT_EQ(failure.error().text, "give an even number");
}

TEST(Result, TryPassesTheErrorOn) {
    EXPECT_EQ(*quarter_of(8), "2");
    EXPECT_EQ(quarter_of(7).error().code, Code::invalid);
    EXPECT_EQ(quarter_of(6).error().code, Code::invalid);
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
    Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
    EXPECT_EQ(**result, 3);
    const std::unique_ptr<int> taken = *std::move(result);
    EXPECT_EQ(*taken, 3);
}

TEST(Result, OfNothingSaysWhetherItWorked) {
    EXPECT_TRUE(Result<void>());
    const Result<void> failure = unknown_effect(Code::io, "the disk is gone");
    EXPECT_FALSE(failure);
    EXPECT_EQ(failure.error().effect, Effect::unknown);
}

TEST(ResultDeathTest, TheWrongSideEndsTheProcess) {
    const Result<int> failure = half_of(7);
    EXPECT_DEATH((void)failure.value(), "ok\\(\\)");
    const Result<int> value = half_of(8);
    EXPECT_DEATH((void)value.error(), "ok\\(\\)");
    EXPECT_DEATH((void)Result<void>().error(), "ok\\(\\)");
}

TEST(Code, EveryOneHasItsOwnName) {
    std::set<std::string> names;
    int code = 0;
    for (; std::string(to_string(static_cast<Code>(code))) != "unknown_code"; ++code) {
        names.insert(to_string(static_cast<Code>(code)));
    }
    EXPECT_EQ(code, static_cast<int>(Code::unreachable) + 1);
    EXPECT_EQ(names.size(), static_cast<std::size_t>(code));
}

}  // namespace
}  // namespace penstock
