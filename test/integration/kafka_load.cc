#include "test/integration/kafka_load.h"

#include <gtest/gtest.h>

#include <map>

namespace penstock::test {
namespace {

constexpr std::size_t kInFlight = 100;

}  // namespace

Load::Load(Log& log, TopicPartition at)
    : log_(log), at_(std::move(at)), wake_(system_env().executor.make_wake()) {
    task_ = system_env().executor.spawn("load", [this] { run(); });
}

Load::~Load() {
    stop();
}

void Load::stop() {
    stopping_ = true;
    wake_->notify();
    task_.reset();
}

void Load::run() {
    for (;;) {
        const std::size_t under_way = this->under_way();
        if (stopping_ && under_way == 0) return;
        if (stopping_ || under_way >= kInFlight) {
            wake_->wait_until(soon());
            continue;
        }
        std::size_t number = 0;
        {
            const MutexLock lock(mutex_);
            number = answers_.size();
            answers_.emplace_back();
        }
        const std::string text = std::to_string(number);
        const Record record = text_record(text, text);
        log_.append(at_, {&record, 1}, number, *this);
    }
}

std::size_t Load::under_way() {
    const MutexLock lock(mutex_);
    return answers_.size() - answered_;
}

void Load::appended(std::span<const Appended> results) noexcept {
    // Notified under the lock: run() ends as soon as it sees the last answer.
    const MutexLock lock(mutex_);
    for (const Appended& result : results) {
        const bool unknown = !result.offset && result.offset.error().effect == Effect::unknown;
        auto& answer = answers_[result.tag];
        repeated_ += answer.has_value() ? 1 : 0;
        answer = Answer{result.offset.ok(), unknown, result.offset ? *result.offset : Offset(0)};
        if (result.offset) ++durable_;
        if (unknown) ++unknown_;
        ++answered_;
    }
    wake_->notify();
}

Reader::Reader(Log& log, TopicPartition at) : at_(std::move(at)) {
    auto subscription = log.subscribe({"reader", {at_}});
    EXPECT_TRUE(subscription) << subscription.error().text;
    subscription_ = std::move(*subscription);
    task_ = system_env().executor.spawn("reader", [this] { run(); });
}

Reader::~Reader() {
    stop();
}

void Reader::stop() {
    stopping_ = true;
    subscription_->wake();
    task_.reset();
}

void Reader::run() {
    while (!stopping_) {
        auto polled = subscription_->poll({}, kNever);
        Result<void> good;
        if (!polled) {
            good = polled.error();
        } else if (!polled->granted.empty()) {
            good = subscription_->start(at_, Offset(0));
        }
        const MutexLock lock(mutex_);
        if (!good) failure_ = good.error();
        if (!good) return;
        for (const Slice& slice : polled->slices) {
            for (const Logged& record : slice.records) {
                values_.emplace_back(as_text(*record.value));
            }
        }
    }
}

std::vector<std::string> Reader::values() {
    const MutexLock lock(mutex_);
    return values_;
}

std::optional<Error> Reader::failure() {
    const MutexLock lock(mutex_);
    return failure_;
}

void check_history(const Load& load, const std::vector<std::string>& log) {
    EXPECT_EQ(load.repeated(), 0u);
    std::map<std::string, std::size_t> times;
    for (const std::string& value : log) ++times[value];
    std::size_t durable = 0;
    std::size_t possible = 0;
    for (std::size_t number = 0; number < load.answers().size(); ++number) {
        const std::string text = std::to_string(number);
        const auto& answer = load.answers()[number];
        ASSERT_TRUE(answer.has_value()) << text << " was not answered";
        const std::size_t there = times.contains(text) ? times.at(text) : 0;
        if (answer->durable) {
            ++durable;
            EXPECT_EQ(there, 1u) << text;
            ASSERT_LT(answer->offset.value(), log.size()) << "lost";
            EXPECT_EQ(log[answer->offset.value()], text);
        } else if (answer->unknown) {
            EXPECT_LE(there, 1u) << text;
        } else {
            EXPECT_EQ(there, 0u) << text << " was told not to be there";
        }
        possible += answer->durable || answer->unknown ? 1 : 0;
    }
    EXPECT_GE(log.size(), durable);
    EXPECT_LE(log.size(), possible);
}

}  // namespace penstock::test
