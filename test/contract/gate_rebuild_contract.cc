#include "test/contract/gate_contract.h"
#include "test/contract/gate_subject.h"

namespace penstock::contract {
namespace {

using enum Admission;

constexpr GateGeneration kFirst{1}, kSecond{2}, kThird{3};

Result<void> load(GateSubject& subject, GateGeneration generation, const Claim& claim,
                  bool granted) {
    const Holding holding = claim.holding(granted);
    return subject.gate().load(kSale, generation, {&holding, 1});
}

TEST_P(GateContract, AdmitsNobodyUntilTheRebuildIsOver) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(10), kFirst));
    EXPECT_EQ(subject.admission({.id = 1}), rebuilding);
    EXPECT_FALSE(subject.counts().open);
    ASSERT_TRUE(load(subject, kFirst, {.id = 1}, true));
    EXPECT_EQ(subject.admission({.id = 1}), rebuilding);
    ASSERT_TRUE(subject.gate().open(kSale, kFirst));
    EXPECT_TRUE(subject.counts().open);
    EXPECT_EQ(subject.admission({.id = 1}), again);
    EXPECT_EQ(subject.admission({.id = 2}), admitted);
}

TEST_P(GateContract, ARebuildEmptiesAndRaisesTheGeneration) {
    GateSubject subject(GetParam());
    subject.make(1, 1);
    EXPECT_EQ(subject.admission({.id = 1}), admitted);
    EXPECT_EQ(subject.admission({.id = 2}), limit_reached);
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(2, 2), kSecond));
    EXPECT_EQ(subject.counts().reserved, 0U);
    EXPECT_EQ(subject.counts().refused_limit, 0U);
    ASSERT_TRUE(subject.gate().open(kSale, kSecond));
    const Answer answer = subject.ask_one({.id = 1, .quantity = 2});
    EXPECT_EQ(answer.admission.value(), admitted);
    EXPECT_EQ(answer.generation, kSecond);
    EXPECT_EQ(subject.counts().generation, kSecond);
}

TEST_P(GateContract, RefusesOlderAndEqualGenerations) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(1), kSecond));
    EXPECT_EQ(subject.gate().begin_rebuild(spec_of(1), kSecond).error().code, Code::fenced);
    EXPECT_EQ(subject.gate().begin_rebuild(spec_of(1), kFirst).error().code, Code::fenced);
    for (const GateGeneration other : {kFirst, kThird}) {
        EXPECT_EQ(load(subject, other, {.id = 1}, true).error().code, Code::fenced);
        EXPECT_EQ(subject.gate().open(kSale, other).error().code, Code::fenced);
    }
    ASSERT_TRUE(subject.gate().open(kSale, kSecond));
    EXPECT_TRUE(subject.gate().open(kSale, kSecond));
    EXPECT_EQ(load(subject, kSecond, {.id = 1}, true).error().code, Code::invalid);
    EXPECT_EQ(subject.counts().granted, 0U);
}

TEST_P(GateContract, LoadCountsAnIdOnceAndAGrantWins) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(10, 3), kFirst));
    ASSERT_TRUE(load(subject, kFirst, {.id = 1, .quantity = 2}, true));
    ASSERT_TRUE(load(subject, kFirst, {.id = 1, .quantity = 2}, false));
    ASSERT_TRUE(load(subject, kFirst, {.id = 2, .holder = "bob", .quantity = 3}, false));
    ASSERT_TRUE(load(subject, kFirst, {.id = 2, .holder = "bob", .quantity = 3}, false));
    EXPECT_EQ(subject.counts().reserved, 3U);
    ASSERT_TRUE(load(subject, kFirst, {.id = 2, .holder = "bob", .quantity = 3}, true));
    EXPECT_EQ(subject.counts().granted, 5U);
    EXPECT_EQ(subject.counts().reserved, 0U);
    ASSERT_TRUE(subject.gate().open(kSale, kFirst));
    EXPECT_EQ(subject.admissions({{.id = 3}, {.id = 4}, {.id = 5, .holder = "bob"}}),
              (std::vector{admitted, limit_reached, limit_reached}));
}

TEST_P(GateContract, LoadRefusesAHoldingOfNoUnits) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(10), kFirst));
    EXPECT_EQ(load(subject, kFirst, {.id = 1, .quantity = 0}, true).error().code, Code::invalid);
}

TEST_P(GateContract, RefusesMoreUnitsThanCanBeCounted) {
    GateSubject subject(GetParam());
    EXPECT_EQ(subject.gate().begin_rebuild(spec_of(kMaxUnits + 1), kFirst).error().code,
              Code::invalid);
}

TEST_P(GateContract, AReservationThatEndsDuringTheRebuildIsNotLoaded) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(2, 1), kFirst));
    ASSERT_TRUE(load(subject, kFirst, {.id = 1}, false));
    subject.settle({.id = 1}, false);
    subject.settle({.id = 2, .holder = "bob"}, false);
    ASSERT_TRUE(load(subject, kFirst, {.id = 1}, false));
    ASSERT_TRUE(load(subject, kFirst, {.id = 2, .holder = "bob"}, false));
    EXPECT_EQ(subject.counts().reserved, 0U);
    ASSERT_TRUE(subject.gate().open(kSale, kFirst));
    EXPECT_EQ(subject.admissions({{.id = 1}, {.id = 2, .holder = "bob"}}),
              (std::vector{admitted, admitted}));
}

TEST_P(GateContract, AGrantDuringTheRebuildCountsOnce) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(3), kFirst));
    subject.settle({.id = 1}, true);
    ASSERT_TRUE(load(subject, kFirst, {.id = 1}, false));
    ASSERT_TRUE(load(subject, kFirst, {.id = 1}, true));
    ASSERT_TRUE(load(subject, kFirst, {.id = 2}, false));
    subject.settle({.id = 2}, true);
    ASSERT_TRUE(subject.gate().open(kSale, kFirst));
    EXPECT_EQ(subject.counts().granted, 2U);
    EXPECT_EQ(subject.counts().reserved, 0U);
}

TEST_P(GateContract, WhatIsOverIsCountedOnce) {
    struct Over {
        std::uint32_t granted;
        bool closed;
        Admission says;
    };
    for (const Over& over : {Over{3, false, sold_out}, Over{2, true, closed}}) {
        GateSubject subject(GetParam());
        ResourceSpec spec = spec_of(3, 1);
        spec.closed = over.closed;
        spec.final_granted = over.granted;
        ASSERT_TRUE(subject.gate().begin_rebuild(spec, kFirst));
        subject.settle({.id = 1}, true);
        ASSERT_TRUE(load(subject, kFirst, {.id = 2, .holder = "bob"}, false));
        ASSERT_TRUE(subject.gate().open(kSale, kFirst));
        subject.settle({.id = 3, .holder = "cid"}, true);
        subject.settle({.id = 4, .holder = "dan"}, false);
        EXPECT_EQ(subject.admissions({{.id = 1}, {.id = 5, .holder = "eve"}}),
                  (std::vector{over.says, over.says}));
        EXPECT_EQ(subject.counts().granted, over.granted);
        EXPECT_EQ(subject.counts().reserved, 0U);
        EXPECT_EQ(subject.counts().spec.final_granted, over.granted);
        ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(3, 1), kSecond));
        EXPECT_EQ(subject.counts().granted, 0U);
        EXPECT_FALSE(subject.counts().spec.final_granted);
    }
}

TEST_P(GateContract, NothingIsFinalThatSomebodyCouldStillGet) {
    GateSubject subject(GetParam());
    ResourceSpec spec = spec_of(3);
    spec.final_granted = 2;
    EXPECT_EQ(subject.gate().begin_rebuild(spec, kFirst).error().code, Code::invalid);
}

TEST_P(GateContract, ALoadedReservationFlowsBack) {
    GateSubject subject(GetParam());
    ASSERT_TRUE(subject.gate().begin_rebuild(spec_of(1, 1), kFirst));
    ASSERT_TRUE(load(subject, kFirst, {.id = 1}, false));
    ASSERT_TRUE(subject.gate().open(kSale, kFirst));
    EXPECT_EQ(subject.admission({.id = 2, .holder = "bob"}), none_free);
    subject.settle({.id = 1}, false);
    EXPECT_EQ(subject.admission({.id = 3}), admitted);
    subject.settle({.id = 3}, true);
    EXPECT_EQ(subject.admission({.id = 2, .holder = "bob"}), sold_out);
}

}  // namespace
}  // namespace penstock::contract
