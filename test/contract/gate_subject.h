#pragma once

#include <string>
#include <vector>

#include "penstock/base/guarded.h"
#include "test/contract/gate_contract.h"

namespace penstock::contract {

inline const ResourceId kSale("sale");
inline const LogTime kNow = log_time(1'700'000'000'000);

/// Id number `number` of a test.
Uuid id_of(std::uint64_t number);

/// An ask, a settlement or a holding that owns its texts.
struct Claim {
    std::uint64_t id;
    std::string holder = "ann";
    std::uint32_t quantity = 1;
    std::string resource = "sale";

    Ask ask() const { return {id_of(id), resource, holder, quantity}; }
    Settled settled(bool granted) const { return {id_of(id), resource, holder, quantity, granted}; }
    Holding holding(bool granted) const { return {id_of(id), holder, quantity, granted}; }
};

/// Keeps the answers of one ask() by tag and waits for them. Threads: answered() any, rest one.
class AnswerSink final : public GateSink {
public:
    AnswerSink(Env& env, std::uint64_t first_tag, std::size_t count);
    void answered(std::span<const Answer> answers) noexcept override;
    /// In the order of the asks; fails the test if one is missing, doubled or of another tag.
    std::vector<Answer> wait();

private:
    Env& env_;
    const std::uint64_t first_tag_;
    const std::size_t count_;
    const std::unique_ptr<Wake> wake_;
    Mutex mutex_;
    std::vector<Answer> answers_ GUARDED_BY(mutex_);
};

/// A gate with what most tests do to it. Threads: any.
class GateSubject {
public:
    explicit GateSubject(const GateAdapter& adapter) : fixture_(adapter.open()) {}

    Env& env() { return fixture_->env(); }
    Gate& gate() { return fixture_->gate(); }

    /// A resource that is open, at generation 1.
    void make(const ResourceSpec& spec);
    void make(std::uint32_t quantity, std::optional<std::uint32_t> per_holder = std::nullopt);
    std::vector<Answer> ask(const std::vector<Claim>& claims, LogTime now = kNow);
    Answer ask_one(const Claim& claim, LogTime now = kNow) {
        return ask(std::vector{claim}, now)[0];
    }
    Admission admission(const Claim& claim, LogTime now = kNow) {
        return ask_one(claim, now).admission.value();
    }
    std::vector<Admission> admissions(const std::vector<Claim>& claims, LogTime now = kNow);
    void settle(const Claim& claim, bool granted);
    GateCounts counts(const ResourceId& resource = kSale);

private:
    const std::unique_ptr<GateFixture> fixture_;
};

ResourceSpec spec_of(std::uint32_t quantity, std::optional<std::uint32_t> per_holder = std::nullopt,
                     ResourceId resource = kSale);

}  // namespace penstock::contract
