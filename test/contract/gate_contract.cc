#include "test/contract/gate_contract.h"

#include <atomic>
#include <random>

#include "test/contract/gate_subject.h"
#include "test/kit/seed.h"

namespace penstock::contract {
namespace {

using enum Admission;

TEST_P(GateContract, KnowsNoResourceUntilItIsMade) {
    GateSubject subject(GetParam());
    EXPECT_EQ(subject.admission({.id = 1}), no_resource);
    EXPECT_EQ(subject.gate().counts(kSale).error().code, Code::not_found);
    EXPECT_EQ(subject.gate().load(kSale, GateGeneration(1), {}).error().code, Code::not_found);
    EXPECT_EQ(subject.gate().open(kSale, GateGeneration(1)).error().code, Code::not_found);
    EXPECT_EQ(subject.gate().alter(spec_of(1)).error().code, Code::not_found);
    subject.settle({.id = 1}, true);
    EXPECT_TRUE(subject.gate().drop(kSale));
    EXPECT_EQ(subject.admission({.id = 1}), no_resource);
}

TEST_P(GateContract, AdmitsExactlyTheQuantityInTheOrderOfTheSpan) {
    GateSubject subject(GetParam());
    subject.make(100);
    std::vector<Claim> claims;
    for (std::uint64_t i = 0; i < 299; ++i) claims.push_back({.id = i});
    const auto answers = subject.ask(claims);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        EXPECT_EQ(answers[i].admission.value(), i < 100 ? admitted : none_free) << i;
        EXPECT_EQ(answers[i].left, i < 100 ? 99 - i : 0) << i;
        EXPECT_EQ(answers[i].generation, GateGeneration(1));
    }
    EXPECT_EQ(subject.counts().reserved, 100U);
    EXPECT_EQ(subject.counts().granted, 0U);
    EXPECT_EQ(subject.counts().refused_none_free, 199U);
}

TEST_P(GateContract, AnswersAnIdThatIsReservedOrGrantedWithAgainWhateverElseItAsks) {
    GateSubject subject(GetParam());
    subject.make(1, 1);
    EXPECT_EQ(subject.admissions({{.id = 1}, {.id = 1}, {.id = 1, .holder = "bob"}}),
              (std::vector{admitted, again, again}));
    subject.settle({.id = 1}, true);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = 5}), again);
    ResourceSpec closed = spec_of(1, 1);
    closed.closed = true;
    ASSERT_TRUE(subject.gate().alter(closed));
    EXPECT_EQ(subject.admissions({{.id = 1}, {.id = 2}}), (std::vector{again, Admission::closed}));
}

TEST_P(GateContract, SaysSoldOutOnlyWhenEveryUnitIsGranted) {
    GateSubject subject(GetParam());
    subject.make(3);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = 2}), admitted);
    const Answer too_many = subject.ask_one({.id = 2, .quantity = 2});
    EXPECT_EQ(too_many.admission.value(), not_enough);
    EXPECT_EQ(too_many.left, 1U);
    EXPECT_EQ(subject.admission({.id = 2, .quantity = 1}), admitted);
    EXPECT_EQ(subject.admission({.id = 3}), none_free);
    subject.settle({.id = 1, .quantity = 2}, true);
    EXPECT_EQ(subject.admission({.id = 3}), none_free);
    subject.settle({.id = 2}, true);
    EXPECT_EQ(subject.admission({.id = 3}), sold_out);
    EXPECT_EQ(subject.counts().granted, 3U);
    EXPECT_EQ(subject.counts().reserved, 0U);
    EXPECT_EQ(subject.counts().refused_sold_out, 1U);
}

TEST_P(GateContract, AQuantityBeyondEverythingLeftIsNotEnough) {
    GateSubject subject(GetParam());
    subject.make(kMaxUnits);
    const Answer answer = subject.ask_one({.id = 1, .quantity = 4'000'000'000});
    EXPECT_EQ(answer.admission.value(), not_enough);
    EXPECT_EQ(answer.left, kMaxUnits);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = kMaxUnits}), admitted);
    EXPECT_EQ(subject.admission({.id = 2}), none_free);
}

TEST_P(GateContract, GivesUnitsBackToALaterCaller) {
    GateSubject subject(GetParam());
    subject.make(1, 1);
    EXPECT_EQ(subject.admission({.id = 1}), admitted);
    subject.settle({.id = 1}, false);
    subject.settle({.id = 1}, false);
    EXPECT_EQ(subject.counts().reserved, 0U);
    EXPECT_EQ(subject.admission({.id = 1}), admitted) << "an id given back is forgotten";
    subject.settle({.id = 1}, false);
    EXPECT_EQ(subject.admission({.id = 2, .holder = "bob"}), admitted);
    EXPECT_EQ(subject.admission({.id = 3, .holder = "cid"}), none_free);
}

TEST_P(GateContract, GivesBackWhatWasAdmittedWhateverQuantityTheSettlementNames) {
    GateSubject subject(GetParam());
    subject.make(10, 4);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = 3}), admitted);
    subject.settle({.id = 1, .quantity = 9}, false);
    EXPECT_EQ(subject.counts().reserved, 0U);
    EXPECT_EQ(subject.admission({.id = 2, .quantity = 4}), admitted);
    subject.settle({.id = 2, .quantity = 1}, true);
    EXPECT_EQ(subject.counts().granted, 4U);
    EXPECT_EQ(subject.counts().reserved, 0U);
}

TEST_P(GateContract, AGrantIsFinalAndCountsOnce) {
    GateSubject subject(GetParam());
    subject.make(2);
    EXPECT_EQ(subject.admission({.id = 1}), admitted);
    subject.settle({.id = 1}, true);
    subject.settle({.id = 1}, true);
    subject.settle({.id = 1}, false);
    EXPECT_EQ(subject.counts().granted, 1U);
    EXPECT_EQ(subject.admission({.id = 1}), again);
}

TEST_P(GateContract, CountsAGrantThatCamePastIt) {
    GateSubject subject(GetParam());
    subject.make(3, 2);
    subject.settle({.id = 1, .quantity = 2}, true);
    subject.settle({.id = 9, .quantity = 2}, false);
    EXPECT_EQ(subject.counts().granted, 2U);
    EXPECT_EQ(subject.admissions({{.id = 1}, {.id = 2}, {.id = 3, .holder = "bob"}}),
              (std::vector{again, limit_reached, admitted}));
}

TEST_P(GateContract, MoreGrantedThanItHasLeavesNothingFree) {
    GateSubject subject(GetParam());
    subject.make(3);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = 2}), admitted);
    subject.settle({.id = 2, .quantity = 5}, true);
    const Answer answer = subject.ask_one({.id = 3});
    EXPECT_EQ(answer.admission.value(), sold_out);
    EXPECT_EQ(answer.left, 0U);
    subject.settle({.id = 1}, false);
    EXPECT_EQ(subject.counts().granted, 5U);
    EXPECT_EQ(subject.counts().reserved, 0U);
    EXPECT_EQ(subject.admission({.id = 3}), sold_out);
}

TEST_P(GateContract, HoldsEveryHolderToTheLimit) {
    for (const std::uint32_t limit : {1U, 5U}) {
        GateSubject subject(GetParam());
        subject.make(100, limit);
        for (std::uint64_t id = 0; id < 10; ++id) {
            EXPECT_EQ(subject.admission({.id = id}), id < limit ? admitted : limit_reached);
        }
        EXPECT_EQ(subject.admission({.id = 20, .holder = "bob", .quantity = limit + 1}),
                  limit_reached);
        EXPECT_EQ(subject.admission({.id = 21, .holder = "bob", .quantity = limit}), admitted);
        EXPECT_EQ(subject.counts().refused_limit, 11 - limit);
        subject.settle({.id = 0}, true);
        EXPECT_EQ(subject.admission({.id = 30}), limit_reached) << "a grant counts like a place";
    }
}

TEST_P(GateContract, WithoutALimitOneHolderMayHaveAll) {
    GateSubject subject(GetParam());
    subject.make(100);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = 99}), admitted);
    EXPECT_EQ(subject.admission({.id = 2}), admitted);
    EXPECT_EQ(subject.admission({.id = 3}), none_free);
}

TEST_P(GateContract, TellsHoldersApartByEveryByte) {
    GateSubject subject(GetParam());
    subject.make(100, 1);
    using namespace std::string_literals;
    const std::vector<std::string> holders = {"a",
                                              "A",
                                              "a\0"s,
                                              "\0a"s,
                                              "\xff"s,
                                              "\xfe",
                                              "ü",
                                              "u\xcc\x88",
                                              std::string(256, 'x'),
                                              std::string(255, 'x') + "y"};
    for (std::size_t i = 0; i < holders.size(); ++i) {
        EXPECT_EQ(subject.admission({.id = i, .holder = holders[i]}), admitted) << i;
        EXPECT_EQ(subject.admission({.id = i + 100, .holder = holders[i]}), limit_reached) << i;
    }
}

TEST_P(GateContract, IsOpenFromOpensAtUntilClosesAt) {
    GateSubject subject(GetParam());
    ResourceSpec spec = spec_of(10);
    spec.opens_at = log_time(1000);
    spec.closes_at = log_time(2000);
    subject.make(spec);
    EXPECT_EQ(subject.admission({.id = 1}, log_time(999)), not_open);
    EXPECT_EQ(subject.admission({.id = 1}, log_time(1000)), admitted);
    EXPECT_EQ(subject.admission({.id = 2}, log_time(1999)), admitted);
    EXPECT_EQ(subject.admission({.id = 3}, log_time(2000)), closed);
    EXPECT_EQ(subject.counts().refused_not_open, 1U);
    EXPECT_EQ(subject.counts().refused_closed, 1U);
}

TEST_P(GateContract, AlterMovesTheTimesAndClosesForGoodAndKeepsWhatIsHeld) {
    GateSubject subject(GetParam());
    subject.make(10, 2);
    EXPECT_EQ(subject.admission({.id = 1, .quantity = 2}), admitted);
    ResourceSpec spec = spec_of(10, 2);
    spec.opens_at = kNow + std::chrono::milliseconds(1);
    ASSERT_TRUE(subject.gate().alter(spec));
    EXPECT_EQ(subject.admission({.id = 2, .holder = "bob"}), not_open);
    spec.closed = true;
    ASSERT_TRUE(subject.gate().alter(spec));
    EXPECT_EQ(subject.admission({.id = 2, .holder = "bob"}), closed);
    ASSERT_TRUE(subject.gate().alter(spec_of(10, 2)));
    EXPECT_EQ(subject.admission({.id = 2, .holder = "bob"}), closed);
    EXPECT_TRUE(subject.counts().spec.closed);
    EXPECT_EQ(subject.counts().reserved, 2U);
    EXPECT_EQ(subject.gate().alter(spec_of(11, 2)).error().code, Code::invalid);
    EXPECT_EQ(subject.gate().alter(spec_of(10, 3)).error().code, Code::invalid);
    EXPECT_EQ(subject.gate().alter(spec_of(10)).error().code, Code::invalid);
}

TEST_P(GateContract, AnAskForNothingIsInvalidAndTakesNothing) {
    GateSubject subject(GetParam());
    subject.make(2);
    const auto answers =
        subject.ask(std::vector<Claim>{{.id = 1}, {.id = 2, .quantity = 0}, {.id = 3}});
    EXPECT_EQ(answers[0].admission.value(), admitted);
    EXPECT_EQ(answers[1].admission.error().code, Code::invalid);
    EXPECT_EQ(answers[1].admission.error().effect, Effect::none);
    EXPECT_EQ(answers[2].admission.value(), admitted);
}

TEST_P(GateContract, AnswersASpanOverManyResourcesInOrder) {
    GateSubject subject(GetParam());
    subject.make(spec_of(1, std::nullopt, ResourceId("a")));
    subject.make(spec_of(2, std::nullopt, ResourceId("b")));
    EXPECT_EQ(subject.admissions({{.id = 1, .resource = "a"},
                                  {.id = 2, .resource = "b"},
                                  {.id = 3, .resource = "c"},
                                  {.id = 4, .resource = "c"},
                                  {.id = 1, .resource = "b"},
                                  {.id = 5, .resource = "a"},
                                  {.id = 6, .resource = "b"}}),
              (std::vector{admitted, admitted, no_resource, no_resource, admitted, none_free,
                           none_free}));
    EXPECT_TRUE(subject.ask(std::vector<Claim>{}).empty());
}

TEST_P(GateContract, ADroppedResourceIsGoneWithAllItHeld) {
    GateSubject subject(GetParam());
    subject.make(1);
    EXPECT_EQ(subject.admission({.id = 1}), admitted);
    ASSERT_TRUE(subject.gate().drop(kSale));
    EXPECT_EQ(subject.admission({.id = 1}), no_resource);
    EXPECT_EQ(subject.gate().counts(kSale).error().code, Code::not_found);
    subject.make(1);
    EXPECT_EQ(subject.admission({.id = 1}), admitted);
}

/// One of several threads that claim, and grant or give back at random, until all is sold.
class Rival {
public:
    Rival(GateSubject& subject, std::uint64_t number, std::uint64_t seed)
        : subject_(subject), next_id_(number << 32), chance_(seed + number) {}

    /// Units in line or granted over all rivals, as they see them, is never above `quantity`.
    void run(std::atomic<std::int64_t>& out, std::int64_t quantity, std::atomic<bool>& exceeded) {
        for (bool sold = false; !sold;) {
            std::vector<Claim> claims;
            for (std::uint64_t i = 0; i < 1 + chance_() % 8; ++i) {
                claims.push_back(
                    {.id = next_id_++, .quantity = static_cast<std::uint32_t>(1 + chance_() % 3)});
            }
            const auto admissions = subject_.admissions(claims);
            for (std::size_t i = 0; i < claims.size(); ++i) {
                if (admissions[i] == sold_out) sold = true;
                if (admissions[i] != admitted) continue;
                if (out.fetch_add(claims[i].quantity) + claims[i].quantity > quantity) {
                    exceeded = true;
                }
            }
            for (std::size_t i = 0; i < claims.size(); ++i) {
                if (admissions[i] != admitted) continue;
                const bool granted = chance_() % 3 == 0;
                if (!granted) out.fetch_sub(claims[i].quantity);
                subject_.settle(claims[i], granted);
            }
        }
    }

private:
    GateSubject& subject_;
    std::uint64_t next_id_;
    std::mt19937_64 chance_;
};

TEST_P(GateContract, NeverAdmitsTooManyToEightThreadsAndGrantsExactlyTheQuantityInTheEnd) {
    constexpr std::uint32_t kQuantity = 5000;
    const test::Seed seed;
    GateSubject subject(GetParam());
    subject.make(kQuantity, kMaxUnits);
    std::atomic<std::int64_t> out = 0;
    std::atomic<bool> exceeded = false;
    std::vector<std::unique_ptr<Task>> tasks;
    for (std::uint64_t i = 0; i < 8; ++i) {
        tasks.push_back(subject.env().executor.spawn(
            "rival", [&, i] { Rival(subject, i, seed.value()).run(out, kQuantity, exceeded); }));
    }
    tasks.clear();
    EXPECT_FALSE(exceeded);
    EXPECT_EQ(out, kQuantity);
    EXPECT_EQ(subject.counts().granted, kQuantity);
    EXPECT_EQ(subject.counts().reserved, 0U);
}

}  // namespace
}  // namespace penstock::contract
