#include "penstock/log/kafka/subscription.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::logkafka {
namespace {

constexpr std::chrono::milliseconds kCommitEvery{500};
constexpr std::chrono::milliseconds kCheckEvery{200};  ///< of what others learned of the topics
constexpr int kLastCommit_ms = 2'000;

/// The group's offsets once more, before the client ends; nobody waits for it.
void commit_last(rd_kafka_t* client, const std::shared_ptr<rd_kafka_topic_partition_list_t>& list) {
    const Queue answer(rd_kafka_queue_new(client));
    if (rd_kafka_commit_queue(client, list.get(), answer.get(), nullptr, nullptr) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    const Event ignored(rd_kafka_queue_poll(answer.get(), kLastCommit_ms));
}

}  // namespace

Result<std::unique_ptr<KafkaSubscription>> KafkaSubscription::open(Env& env,
                                                                   const KafkaLogOptions& options,
                                                                   Admin& admin, Topics& topics,
                                                                   Graveyard& graveyard,
                                                                   const GroupSpec& group) {
    auto fetcher = Fetcher::open(env, options, graveyard, logkafka::Role::subscriber, group.group);
    if (!fetcher) return std::move(fetcher).error();
    std::unique_ptr<KafkaSubscription> subscription(
        new KafkaSubscription(env, options, admin, topics, std::move(*fetcher)));
    for (const TopicPartition& at : group.manual) PENSTOCK_TRY(subscription->assign(at));
    return subscription;
}

KafkaSubscription::KafkaSubscription(Env& env, const KafkaLogOptions& options, Admin& admin,
                                     Topics& topics, std::unique_ptr<Fetcher> fetcher)
    : env_(env), options_(options), admin_(admin), topics_(topics), fetcher_(std::move(fetcher)) {}

KafkaSubscription::~KafkaSubscription() {
    for (const auto& [at, followed] : followed_) topics_.unfollow(at.topic);
    if (reported_.empty()) return;
    const std::shared_ptr<rd_kafka_topic_partition_list_t> list = reported_list();
    fetcher_->last_words([list](rd_kafka_t* client) { commit_last(client, list); });
}

Result<Subscription::Polled> KafkaSubscription::poll(const ReadLimits& limits, MonoTime until) {
    slices_.clear();
    for (;;) {
        haul_.begin(limits);
        parts_.clear();
        fetcher_->serve();
        PENSTOCK_TRY(check_histories());
        PENSTOCK_TRY(fill(haul_));
        if (!parts_.empty() || !granted_.empty() || woken_.exchange(false)) break;
        const MonoTime now = env_.clock.mono();
        if (now >= next_commit_) commit();
        if (now >= until) break;
        fetcher_->wake().wait_until(std::min(until, now + kCheckEvery));
    }
    if (env_.clock.mono() >= next_commit_) commit();
    haul_.seal();
    for (const Part& part : parts_) {
        slices_.push_back({part.at, haul_.records().subspan(part.first, part.count)});
    }
    Polled polled;
    polled.granted.swap(granted_);
    polled.slices = slices_;
    return polled;
}

/// One round over the partitions, so that a busy one does not starve the rest.
Result<void> KafkaSubscription::fill(Haul& haul) {
    auto at = served_last_ ? followed_.upper_bound(*served_last_) : followed_.begin();
    for (std::size_t i = 0; i < followed_.size() && !haul.full(); ++i, ++at) {
        if (at == followed_.end()) at = followed_.begin();
        if (!at->second.started || at->second.paused) continue;
        const std::size_t before = haul.size();
        auto filled = fetcher_->fill(at->first, haul);
        const std::size_t count = haul.size() - before;
        if (count > 0) {
            parts_.push_back({at->first, before, count});
            served_last_ = at->first;
        }
        if (filled || still_there(at->first, filled.error())) continue;
        at->second.started = false;
        if (parts_.empty()) return filled;
        return {};  // what is there first; start() or the broker says it again
    }
    return {};
}

/// A broker that has just started may not know a topic yet; the cluster is asked.
bool KafkaSubscription::still_there(const TopicPartition& at, const Error& told) {
    if (told.code == Code::unreachable) return true;
    if (told.code != Code::not_found) return false;
    const auto facts = topics_.ask(at.topic);
    if (!facts) return !topics_.seen(at.topic).gone;
    return facts->front().history == followed_.at(at).history;
}

/// Another topic of the same name is another history: its records are never taken for these.
Result<void> KafkaSubscription::check_histories() {
    const MonoTime now = env_.clock.mono();
    if (now < next_check_) return {};
#if PENSTOCK_FAILPOINTS
    if (options_.test_no_history) return {};
#endif
    next_check_ = now + kCheckEvery;
    for (auto& [at, followed] : followed_) {
        if (!followed.started) continue;
        const auto seen = topics_.seen(at.topic);
        const bool another = seen.history && *seen.history != followed.history;
        if (!another && !seen.gone) continue;
        followed.started = false;
        fetcher_->stop(at);
        if (seen.gone) {
            return error(Code::not_found, fmt::format("topic {} was deleted", at.topic.value()));
        }
        return error(Code::out_of_range,
                     fmt::format("topic {} was deleted and made again", at.topic.value()));
    }
    return {};
}

Result<void> KafkaSubscription::start(const TopicPartition& at, Offset from) {
    const auto found = followed_.find(at);
    if (found == followed_.end()) {
        return error(Code::not_found, text_of(at) + " is not assigned to this subscription");
    }
    const auto ends = admin_.ends(at);
    // Unreachable: the broker refuses an offset that is not there as soon as it answers again.
    if (!ends && ends.error().code != Code::unreachable) return ends.error();
    if (ends && (from < ends->start || from > ends->end)) {
        return error(Code::out_of_range,
                     fmt::format("offset {} of {} is outside {}..{}", from.value(), text_of(at),
                                 ends->start.value(), ends->end.value()));
    }
    const auto facts = topics_.known(at.topic);
    if (!facts && facts.error().code != Code::unreachable) return facts.error();
    if (facts) found->second.history = facts->history;
    PENSTOCK_TRY(fetcher_->start(at, from));
    found->second.started = true;
    return {};
}

void KafkaSubscription::pause(const TopicPartition& at, bool paused) {
    const auto found = followed_.find(at);
    if (found != followed_.end()) found->second.paused = paused;
}

Result<void> KafkaSubscription::assign(const TopicPartition& at) {
    if (followed_.contains(at)) return {};
    const auto facts = topics_.check(at);
    if (!facts) return facts.error();
    followed_[at].history = facts->history;
    topics_.follow(at.topic);
    granted_.push_back(at);
    return {};
}

void KafkaSubscription::release(const TopicPartition& at) {
    if (followed_.erase(at) == 0) return;
    topics_.unfollow(at.topic);
    fetcher_->stop(at);
    std::erase(granted_, at);
}

void KafkaSubscription::report(const TopicPartition& at, Offset next) {
    reported_[at] = next;
}

PartitionList KafkaSubscription::reported_list() const {
    PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(reported_.size())));
    for (const auto& [at, next] : reported_) {
        rd_kafka_topic_partition_list_add(list.get(), at.topic.value().c_str(),
                                          static_cast<std::int32_t>(at.partition.value()))
            ->offset = static_cast<std::int64_t>(next.value());
    }
    return list;
}

/// Asynchronous; a failure is nobody's loss, the next one says more.
void KafkaSubscription::commit() {
    next_commit_ = env_.clock.mono() + kCommitEvery;
    if (reported_.empty()) return;
    const PartitionList list = reported_list();
    reported_.clear();
    (void)rd_kafka_commit(fetcher_->client(), list.get(), 1);
}

void KafkaSubscription::wake() noexcept {
    woken_.store(true);
    fetcher_->wake().notify();
}

}  // namespace penstock::logkafka
