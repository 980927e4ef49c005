// What the requester asks the store: recorded outcomes, and what other processes owe.
#include <algorithm>
#include <set>

#include "penstock/runtime/pending_parts.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kSilence{500};  // a reply that takes longer may be lost
constexpr std::size_t kMostSwept = 1'000;
constexpr std::chrono::seconds kQuestionTime{5};

}  // namespace

void LineRequester::sweep(MonoTime now) {
    if (options_.alone) return;
    struct Silent {
        Uuid id;
        Hash128 body;
        Offset offset;
    };
    std::vector<Silent> silent;
    {
        const MutexLock lock(mutex_);
        for (const auto& [id, index] : by_id_) {
            const Slot& slot = slots_[index];
            if (!slot.offset || slot.decided || now - slot.logged_at < kSilence) continue;
            if (progress_.held(slot.at) || silent.size() >= kMostSwept) continue;
            silent.push_back({id, slot.body, *slot.offset});
        }
    }
    if (!silent.empty()) {
        std::sort(silent.begin(), silent.end(),
                  [](const Silent& a, const Silent& b) { return a.id < b.id; });
        (void)reader_.run([this, silent = std::move(silent)](Session& session) {
            std::vector<Uuid> ids;
            for (const Silent& one : silent) ids.push_back(one.id);
            auto recorded = find_outcomes(session, ids);
            if (!recorded) return;  // asked again at the next sweep
            std::vector<Told> found;
            for (std::size_t i = 0; i < silent.size(); ++i) {
                const Silent& one = silent[i];
                auto& known = (*recorded)[i];
                if (!known) continue;
                Step step = Step::run;
                if (known->offset != one.offset) step = Step::duplicate;
                if (known->body != one.body) step = Step::id_reused;
                found.push_back({one.id, one.body, step, std::move(known->outcome)});
            }
            told(found);
        });
    }
    sweep_questions(now);
}

void LineRequester::look_up(const Uuid& id, std::uint64_t tag, ReplySink& sink) {
    Outbox out;
    const Waiter waiter{&sink, tag, false};
    const Error no_record = error(Code::not_found, "no command with this id is on record");
    if (options_.alone) return answer_from_store(id, std::nullopt, {waiter}, no_record, out);
    const bool queued =
        reader_.find(id, [this, id, waiter](const Result<std::optional<Recorded>>& found) {
            if (found && !found->has_value()) return ask_later(id, waiter);
            Outbox told;
            if (found) {
                told.add(waiter, Settlement{(*found)->outcome, false});
            } else {
                told.add(waiter, found.error());
            }
        });
    if (!queued) out.add(waiter, too_many_questions());
}

/// On the reader's thread.
void LineRequester::ask_later(const Uuid& id, const Waiter& waiter) {
    Question question{id, waiter, {}, env_.clock.mono() + kQuestionTime};
    std::set<std::string> topics;
    for (const Destination& destination : destinations_) topics.insert(destination.route.topic);
    for (const std::string& topic : topics) {
        const auto described = log_.describe(TopicId(topic));
        if (!described) {
            Outbox out;
            return out.add(waiter, described.error());
        }
        for (const PartitionInfo& info : described->front().partitions) {
            question.ends.emplace_back(TopicPartition{TopicId(topic), info.partition}, info.end);
        }
    }
    const MutexLock lock(mutex_);
    questions_.push_back(std::move(question));
}

void LineRequester::sweep_questions(MonoTime now) {
    std::vector<Question> ripe, late;
    {
        const MutexLock lock(mutex_);
        std::vector<Question> left;
        for (Question& question : questions_) {
            const bool applied = std::all_of(
                question.ends.begin(), question.ends.end(),
                [&](const auto& end) { return progress_.next(end.first) >= end.second; });
            (applied ? ripe : now >= question.until ? late : left).push_back(std::move(question));
        }
        questions_ = std::move(left);
    }
    Outbox out;
    for (const Question& question : late) out.add(question.waiter, in_line_elsewhere());
    for (const Question& question : ripe) {
        answer_from_store(question.id, std::nullopt, {question.waiter},
                          error(Code::not_found, "no command with this id is on record"), out);
    }
}

void LineRequester::answer_from_store(Uuid id, std::optional<Hash128> body,
                                      std::vector<Waiter> waiters, Answered otherwise,
                                      Outbox& refused) {
    auto tell = [body, waiters,
                 otherwise = std::move(otherwise)](const Result<std::optional<Recorded>>& found) {
        Outbox out;
        if (!found) {
            Error failed = found.error();
            failed.effect = Effect::none;
            out.add_all(waiters, failed);
        } else if (!found->has_value()) {
            out.add_all(waiters, otherwise);
        } else if (body && (*found)->body != *body) {
            out.add_all(waiters, IdReused{});
        } else {
            out.add_all(waiters, Settlement{(*found)->outcome, false});
        }
    };
    if (reader_.find(id, tell)) return;
    refused.add_all(waiters, too_many_questions());
}

}  // namespace penstock
