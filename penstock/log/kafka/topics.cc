#include "penstock/log/kafka/topics.h"

#include <fmt/format.h>

namespace penstock::logkafka {
namespace {

constexpr std::chrono::seconds kFresh{5};
constexpr std::uint32_t kSureMisses = 2;  ///< one may be a broker that has just started

}  // namespace

Topics::Topics(Env& env, const KafkaLogOptions& options, Admin& admin)
    : env_(env), options_(options), admin_(admin) {}

Result<std::vector<TopicFacts>> Topics::ask(const std::optional<TopicId>& topic) {
    auto found = admin_.facts(topic);
    if (!found) {
        if (topic && found.error().code == Code::not_found) missed(*topic);
        return std::move(found).error();
    }
    for (const TopicFacts& facts : *found) remember(facts);
    return found;
}

void Topics::remember(const TopicFacts& facts) {
    const MutexLock lock(mutex_);
    Entry& entry = entries_[facts.spec.topic];
    entry.facts = facts;
    entry.asked = env_.clock.mono();
    entry.usable = !facts.unsafe || options_.accept_data_loss;
    // The producer asks for itself at its first append, which is still to come.
    taught_.emplace(facts.spec.topic, facts.spec.partitions);
    if (const auto found = followed_.find(facts.spec.topic); found != followed_.end()) {
        found->second.missed = 0;
    }
}

void Topics::missed(const TopicId& topic) {
    const MutexLock lock(mutex_);
    entries_.erase(topic);
    if (const auto found = followed_.find(topic); found != followed_.end()) ++found->second.missed;
}

Result<TopicFacts> Topics::known(const TopicId& topic) {
    {
        const MutexLock lock(mutex_);
        const auto found = entries_.find(topic);
        if (found != entries_.end() && env_.clock.mono() - found->second.asked < kFresh) {
            return found->second.facts;
        }
    }
    auto asked = ask(topic);
    if (!asked) return std::move(asked).error();
    return std::move(asked->front());
}

Result<TopicFacts> Topics::check(const TopicPartition& at) {
    auto facts = known(at.topic);
    if (!facts) return facts;
    if (at.partition.value() >= facts->spec.partitions) {
        if (auto asked = ask(at.topic); asked) facts = std::move(asked->front());
    }
    if (at.partition.value() >= facts->spec.partitions) {
        return error(Code::not_found,
                     fmt::format("topic {} has {} partitions, no partition {}", at.topic.value(),
                                 facts->spec.partitions, at.partition.value()));
    }
    if (!facts->unsafe) return facts;
    if (!options_.accept_data_loss) return *facts->unsafe;
    bool first;
    {
        const MutexLock lock(mutex_);
        first = noted_.insert(at.topic).second;
    }
    if (first) note(options_, "acknowledged data can be lost: " + facts->unsafe->text);
    return facts;
}

bool Topics::usable(const TopicPartition& at) {
    const MutexLock lock(mutex_);
    const auto found = entries_.find(at.topic);
    if (found == entries_.end() || !found->second.usable) return false;
    const auto taught = taught_.find(at.topic);
    return at.partition.value() < std::min(found->second.facts.spec.partitions, taught->second);
}

void Topics::taught(const TopicId& topic, std::uint32_t partitions) {
    const MutexLock lock(mutex_);
    taught_[topic] = partitions;
}

void Topics::forget(const TopicId& topic) {
    const MutexLock lock(mutex_);
    entries_.erase(topic);
}

void Topics::follow(const TopicId& topic) {
    const MutexLock lock(mutex_);
    ++followed_[topic].followers;
}

void Topics::unfollow(const TopicId& topic) {
    const MutexLock lock(mutex_);
    const auto found = followed_.find(topic);
    if (found != followed_.end() && --found->second.followers == 0) followed_.erase(found);
}

Topics::Seen Topics::seen(const TopicId& topic) {
    const MutexLock lock(mutex_);
    Seen seen;
    if (const auto found = entries_.find(topic); found != entries_.end()) {
        seen.history = found->second.facts.history;
    }
    const auto followed = followed_.find(topic);
    seen.gone = followed != followed_.end() && followed->second.missed >= kSureMisses;
    return seen;
}

void Topics::refresh() {
    std::vector<TopicId> topics;
    {
        const MutexLock lock(mutex_);
        for (const auto& [topic, following] : followed_) topics.push_back(topic);
    }
    // Unreachable brokers change nothing; a topic that is gone is forgotten.
    for (const TopicId& topic : topics) (void)ask(topic).ok();
}

}  // namespace penstock::logkafka
