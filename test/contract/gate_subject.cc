#include "test/contract/gate_subject.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::contract {

Uuid id_of(std::uint64_t number) {
    Uuid id;
    std::memcpy(id.bytes.data() + 8, &number, sizeof number);
    return id;
}

AnswerSink::AnswerSink(Env& env, std::uint64_t first_tag, std::size_t count)
    : env_(env), first_tag_(first_tag), count_(count), wake_(env.executor.make_wake()) {}

void AnswerSink::answered(std::span<const Answer> answers) noexcept {
    // Notified under the lock: the waiter may be gone as soon as it can see the last answer.
    const MutexLock lock(mutex_);
    answers_.insert(answers_.end(), answers.begin(), answers.end());
    wake_->notify();
}

std::vector<Answer> AnswerSink::wait() {
    const MonoTime by = env_.clock.mono() + std::chrono::seconds(30);
    const auto all_there = [this] {
        const MutexLock lock(mutex_);
        return answers_.size() >= count_;
    };
    while (!all_there() && env_.clock.mono() < by) wake_->wait_until(by);
    const MutexLock lock(mutex_);
    std::vector<Answer> sorted = std::move(answers_);
    EXPECT_EQ(sorted.size(), count_);
    std::sort(sorted.begin(), sorted.end(),
              [](const Answer& a, const Answer& b) { return a.tag < b.tag; });
    for (std::size_t i = 0; i < sorted.size(); ++i) EXPECT_EQ(sorted[i].tag, first_tag_ + i);
    sorted.resize(count_, {0, error(Code::io, "no answer came"), 0, {}});
    return sorted;
}

void GateSubject::make(const ResourceSpec& spec) {
    ASSERT_TRUE(gate().begin_rebuild(spec, GateGeneration(1)));
    ASSERT_TRUE(gate().open(spec.resource, GateGeneration(1)));
}

void GateSubject::make(std::uint32_t quantity, std::optional<std::uint32_t> per_holder) {
    make(spec_of(quantity, per_holder));
}

std::vector<Answer> GateSubject::ask(const std::vector<Claim>& claims, LogTime now) {
    std::vector<Ask> asks;
    for (const Claim& claim : claims) asks.push_back(claim.ask());
    constexpr std::uint64_t kFirstTag = 7'000'000'000;
    AnswerSink sink(env(), kFirstTag, asks.size());
    gate().ask(asks, now, kFirstTag, sink);
    return sink.wait();
}

std::vector<Admission> GateSubject::admissions(const std::vector<Claim>& claims, LogTime now) {
    std::vector<Admission> admissions;
    for (const Answer& answer : ask(claims, now)) admissions.push_back(answer.admission.value());
    return admissions;
}

void GateSubject::settle(const Claim& claim, bool granted) {
    const Settled settled = claim.settled(granted);
    gate().settle({&settled, 1});
}

GateCounts GateSubject::counts(const ResourceId& resource) {
    const auto counts = gate().counts(resource);
    EXPECT_TRUE(counts) << resource.value();
    return counts ? *counts : GateCounts{};
}

ResourceSpec spec_of(std::uint32_t quantity, std::optional<std::uint32_t> per_holder,
                     ResourceId resource) {
    ResourceSpec spec;
    spec.resource = std::move(resource);
    spec.quantity = quantity;
    spec.per_holder = per_holder;
    return spec;
}

}  // namespace penstock::contract
