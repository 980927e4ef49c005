#include <random>

#include "test/contract/gate_contract.h"
#include "test/contract/gate_model.h"
#include "test/contract/gate_subject.h"
#include "test/kit/seed.h"

namespace penstock::contract {
namespace {

constexpr int kRuns = 20;
constexpr int kSteps = 400;

/// Does the same at random to a gate and to the model, and compares every answer.
class Comparison {
public:
    Comparison(const GateAdapter& adapter, std::uint64_t seed)
        : subject_(adapter), chance_(seed), limit_(chance_() % 3) {}

    void step() {
        switch (below(16)) {
            case 0:
                return rebuild();
            case 1:
                return open();
            case 2:
                return alter();
            case 3:
                return below(8) == 0 ? drop() : load();
            case 4:
            case 5:
                return load();
            case 6:
            case 7:
            case 8:
            case 9:
                return settle();
            default:
                return ask();
        }
    }

    void compare_counts() {
        for (const std::string name : {"r0", "r1"}) {
            const GateCounts* const expected = model_.counts(name);
            const auto found = subject_.gate().counts(ResourceId(name));
            ASSERT_EQ(found.ok(), expected != nullptr);
            if (expected == nullptr) continue;
            EXPECT_EQ(found->granted, expected->granted);
            EXPECT_EQ(found->reserved, expected->reserved);
            EXPECT_EQ(found->open, expected->open);
            EXPECT_EQ(found->generation, expected->generation);
            EXPECT_EQ(found->spec.closed, expected->spec.closed);
            EXPECT_EQ(found->spec.final_granted, expected->spec.final_granted);
            EXPECT_EQ(found->refused_limit, expected->refused_limit);
            EXPECT_EQ(found->refused_none_free, expected->refused_none_free);
            EXPECT_EQ(found->refused_not_enough, expected->refused_not_enough);
            EXPECT_EQ(found->refused_sold_out, expected->refused_sold_out);
            EXPECT_EQ(found->refused_not_open, expected->refused_not_open);
            EXPECT_EQ(found->refused_closed, expected->refused_closed);
        }
    }

private:
    std::uint64_t below(std::uint64_t end) { return chance_() % end; }
    std::string name() { return "r" + std::to_string(below(2)); }

    /// An id always comes with the same holder and quantity: what a command is never changes.
    Claim claim() {
        const std::uint64_t id = below(200);
        return {id, "holder" + std::to_string(id % 7), static_cast<std::uint32_t>(1 + id % 3),
                name()};
    }

    ResourceSpec spec() {
        ResourceSpec spec = spec_of(40, std::nullopt, ResourceId(name()));
        if (limit_ != 0) spec.per_holder = static_cast<std::uint32_t>(limit_ * 5);
        if (below(3) == 0) spec.opens_at = time();
        if (below(3) == 0) spec.closes_at = time();
        spec.closed = below(20) == 0;
        if (below(10) == 0) spec.final_granted = spec.closed ? below(40) : 40 + below(2);
        return spec;
    }
    LogTime time() { return log_time(static_cast<std::int64_t>(below(100))); }

    GateGeneration generation(const std::string& resource, std::uint64_t ahead) {
        const GateCounts* const counts = model_.counts(resource);
        return GateGeneration((counts == nullptr ? 0 : counts->generation.value()) + ahead);
    }

    void ask() {
        std::vector<Claim> claims(below(80));
        for (Claim& one : claims) one = claim();
        const LogTime now = time();
        const auto answers = subject_.ask(claims, now);
        for (std::size_t i = 0; i < claims.size(); ++i) {
            const auto [admission, left] = model_.ask(claims[i], now);
            ASSERT_EQ(to_string(answers[i].admission.value()), std::string(to_string(admission)))
                << "ask " << i << " of id " << claims[i].id;
            ASSERT_EQ(answers[i].left, left);
        }
    }

    void settle() {
        std::vector<Claim> claims(1 + below(10));
        std::vector<Settled> settled;
        for (Claim& one : claims) {
            one = claim();
            settled.push_back(one.settled(below(4) == 0));
            model_.settle(one, settled.back().granted);
        }
        subject_.gate().settle(settled);
    }

    void rebuild() {
        const ResourceSpec wanted = spec();
        const auto of = GateGeneration(generation(wanted.resource.value(), below(4)));
        if (of == GateGeneration(0)) return;
        ASSERT_EQ(subject_.gate().begin_rebuild(wanted, of).ok(), model_.begin_rebuild(wanted, of));
    }

    void load() {
        const Claim one = claim();
        const bool granted = below(2) == 0;
        const auto of = generation(one.resource, below(4) == 0 ? 1 : 0);
        const Holding holding = one.holding(granted);
        ASSERT_EQ(subject_.gate().load(ResourceId(one.resource), of, {&holding, 1}).ok(),
                  model_.load(one, of, granted));
    }

    void open() {
        const std::string resource = name();
        const auto of = generation(resource, below(4) == 0 ? 1 : 0);
        ASSERT_EQ(subject_.gate().open(ResourceId(resource), of).ok(), model_.open(resource, of));
    }

    void alter() {
        const ResourceSpec wanted = spec();
        const bool known = model_.counts(wanted.resource.value()) != nullptr;
        ASSERT_EQ(subject_.gate().alter(wanted).ok(), known);
        model_.alter(wanted);
    }

    void drop() {
        const std::string resource = name();
        ASSERT_TRUE(subject_.gate().drop(ResourceId(resource)));
        model_.drop(resource);
    }

    GateSubject subject_;
    GateModel model_;
    std::mt19937_64 chance_;
    const std::uint64_t limit_;  ///< the same all through: a resource keeps its limit
};

TEST_P(GateContract, AgreesWithThePlainestModelOnRandomHistories) {
    const test::Seed seed;
    for (int run = 0; run < kRuns; ++run) {
        SCOPED_TRACE(testing::Message() << "seed " << seed.value() << ", run " << run);
        Comparison comparison(GetParam(), seed.value() + static_cast<std::uint64_t>(run));
        for (int i = 0; i < kSteps; ++i) {
            comparison.step();
            comparison.compare_counts();
            if (testing::Test::HasFailure()) return;
        }
    }
}

}  // namespace
}  // namespace penstock::contract
