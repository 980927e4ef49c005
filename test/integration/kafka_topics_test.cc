#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test/integration/kafka_kit.h"

// Topics whose records go away below those who read them.
namespace penstock::test {
namespace {

class KafkaTopics : public testing::Test {
protected:
    static void SetUpTestSuite() {
        engines_ = new Engines;
        broker_ = engines_->start("kafka", "kafka");
    }
    static void TearDownTestSuite() {
        delete engines_;
        engines_ = nullptr;
    }
    /// A subscription to the topic, started at `from`.
    std::unique_ptr<Subscription> follow(Log& log, const std::string& topic, Offset from) {
        auto subscription = log.subscribe({"g", {first_of(topic)}});
        if (!subscription || !(*subscription)->poll({}, soon())) return nullptr;
        const auto started = (*subscription)->start(first_of(topic), from);
        EXPECT_TRUE(started) << started.error().text;
        return std::move(*subscription);
    }
    /// Polls until an error; each record must be the one that comes next.
    static Error follow_to_the_error(Subscription& subscription, std::uint64_t next,
                                     std::uint64_t end) {
        const MonoTime by = soon();
        while (system_env().clock.mono() < by) {
            const auto polled = subscription.poll({}, by);
            if (!polled) return polled.error();
            for (const Slice& slice : polled->slices) {
                for (const Logged& record : slice.records) {
                    EXPECT_EQ(record.offset, Offset(next)) << "skipped";
                    ++next;
                }
            }
            EXPECT_LT(next, end) << "nothing was missing";
            if (next >= end) break;
        }
        return error(Code::invalid, "no error came");
    }
    static Uuid uuid_of(Log& log, const std::string& topic) {
        return log.describe(TopicId(topic))->front().partitions[0].uuid;
    }

    static inline Engines* engines_ = nullptr;
    static inline EngineAt broker_;
};

TEST_F(KafkaTopics, StopsWhereRecordsWereDeletedBeforeTheyWereRead) {
    KafkaLogOptions small = options_for(broker_.url);
    // Little is read ahead, so that what is deleted was not fetched yet.
    small.properties = {{"queued.max.messages.kbytes", "64"},
                        {"queued.min.messages", "10"},
                        {"fetch.message.max.bytes", "20000"}};
    const auto log = open_log(small);
    TopicSpec spec;
    spec.topic = TopicId("deleted");
    spec.retention_time = std::chrono::hours(1);
    ASSERT_TRUE(log->create(spec));
    std::string noise(5000, ' ');
    std::uint64_t seed = 7;  // zstd must not make little of it
    for (char& c : noise)
        c = static_cast<char>('!' + (seed = seed * 6364136223846793005u + 1) / (1ull << 58));
    std::vector<std::string> values;
    for (int i = 0; i < 600; ++i) values.push_back(noise);
    for (int i = 0; i < 3; ++i) {
        for (const auto& answer : append(*log, first_of("deleted"), values)) ASSERT_TRUE(answer);
    }
    const auto subscription = follow(*log, "deleted", Offset(0));
    ASSERT_NE(subscription, nullptr);
    auto polled = subscription->poll({5, 1 << 20}, soon());
    while (polled && polled->slices.empty()) polled = subscription->poll({5, 1 << 20}, soon());
    ASSERT_TRUE(polled);
    const std::uint64_t next = polled->slices[0].records.back().offset.value() + 1;

    const LogTime later = system_env().clock.wall() + std::chrono::hours(2);
    const auto start = open_log(small)->trim(first_of("deleted"), Offset(1790), later);
    ASSERT_TRUE(start) << start.error().text;
    EXPECT_EQ(*start, Offset(1790));
    EXPECT_EQ(follow_to_the_error(*subscription, next, 1790).code, Code::out_of_range);
    EXPECT_EQ(subscription->start(first_of("deleted"), Offset(next)).error().code,
              Code::out_of_range);
    EXPECT_EQ(log->read(first_of("deleted"), Offset(1789), {}).error().code, Code::out_of_range);
    ASSERT_TRUE(subscription->start(first_of("deleted"), Offset(1790)));
}

TEST_F(KafkaTopics, KnowsATopicThatWasMadeAgain) {
    const auto log = open_log(options_for(broker_.url));
    const auto other = open_log(options_for(broker_.url));
    make_topic(*log, "again");
    append(*log, first_of("again"), {"1", "2", "3"});
    const Uuid before = uuid_of(*log, "again");
    const auto subscription = follow(*log, "again", Offset(3));
    ASSERT_NE(subscription, nullptr);
    ASSERT_TRUE(other->remove(TopicId("again")));
    make_topic(*other, "again");
    EXPECT_NE(uuid_of(*log, "again"), before);
    // Nothing of the new topic is taken for the old one's record 3 or later.
    const Error stopped = follow_to_the_error(*subscription, 3, 4);
    EXPECT_EQ(stopped.code, Code::out_of_range) << stopped.text;
    EXPECT_EQ(subscription->start(first_of("again"), Offset(3)).error().code, Code::out_of_range);
}

/// The other history is as long as the first: only the topic's own mark tells them apart.
void follow_over_a_topic_made_again(const KafkaLogOptions& options, const std::string& topic,
                                    bool stops) {
    const auto log = open_log(options);
    const auto other = open_log(options);
    make_topic(*log, topic);
    for (const auto& answer : append(*log, first_of(topic), {"1", "2", "3"})) ASSERT_TRUE(answer);
    auto subscription = log->subscribe({"g", {first_of(topic)}});
    ASSERT_TRUE(subscription);
    ASSERT_TRUE((*subscription)->poll({}, soon()));
    ASSERT_TRUE((*subscription)->start(first_of(topic), Offset(3)));
    ASSERT_TRUE(other->remove(TopicId(topic)));
    make_topic(*other, topic);
    for (const auto& answer : append(*other, first_of(topic), {"a", "b", "c"})) ASSERT_TRUE(answer);
    std::optional<Error> stopped;
    EXPECT_TRUE(wait_until([&] {
        const auto polled = (*subscription)->poll({}, system_env().clock.mono());
        if (!polled) stopped = polled.error();
        // Long after: the end was seen, and more came.
        if (!stopped && !stops) append(*other, first_of(topic), {"more"});
        return stopped || (polled && !polled->slices.empty());
    }));
    EXPECT_EQ(stopped.has_value(), stops);
    if (stopped) {
        EXPECT_EQ(stopped->code, Code::out_of_range) << stopped->text;
    }
}

TEST_F(KafkaTopics, StopsAtATopicMadeAgainThatIsAsLong) {
    follow_over_a_topic_made_again(options_for(broker_.url), "as-long", true);
}

#if PENSTOCK_FAILPOINTS
TEST_F(KafkaTopics, WouldReadOnInATopicMadeAgainWithoutItsMark) {
    KafkaLogOptions blind = options_for(broker_.url);
    blind.test_no_history = true;
    follow_over_a_topic_made_again(blind, "unmarked", false);
}
#endif

TEST_F(KafkaTopics, SaysThatATopicIsGone) {
    const auto log = open_log(options_for(broker_.url));
    make_topic(*log, "gone");
    append(*log, first_of("gone"), {"1"});
    const auto subscription = follow(*log, "gone", Offset(1));
    ASSERT_NE(subscription, nullptr);
    ASSERT_TRUE(open_log(options_for(broker_.url))->remove(TopicId("gone")));
    const Error stopped = follow_to_the_error(*subscription, 1, 2);
    EXPECT_EQ(stopped.code, Code::not_found) << stopped.text;
    // The producer learns it, too, and makes no topic of its own.
    EXPECT_TRUE(wait_until([&] {
        const auto answer = append(*log, first_of("gone"), {"2"});
        return !answer[0] && answer[0].error().code == Code::not_found &&
               answer[0].error().effect == Effect::none;
    }));
    EXPECT_EQ(log->describe(TopicId("gone")).error().code, Code::not_found);
}

}  // namespace
}  // namespace penstock::test
