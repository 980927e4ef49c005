#include <gtest/gtest.h>
// First this one, as its mock demands.
#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>

#include "penstock/log/kafka/fetcher.h"
#include "penstock/log/kafka/producer.h"
#include "test/kit/append_collector.h"

// What is answered when brokers misbehave, on librdkafka's own mock of them.
namespace penstock::logkafka {
namespace {

constexpr std::int16_t kProduce = 0;  // Kafka's number of the request
const TopicPartition kAt{TopicId("orders"), PartitionId(0)};

/// A mocked cluster of one broker.
class MockBroker {
public:
    MockBroker() {
        char why[256] = "";
        Conf conf(rd_kafka_conf_new());
        rd_kafka_conf_set(conf.get(), "log_level", "3", why, sizeof why);  // it has no brokers
        host_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.release(), why, sizeof why));
        cluster_.reset(rd_kafka_mock_cluster_new(host_.get(), 1));
        rd_kafka_mock_topic_create(cluster_.get(), kAt.topic.value().c_str(), 1, 1);
    }
    std::string url() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }
    void fail_next(std::initializer_list<rd_kafka_resp_err_t> errors) {
        rd_kafka_mock_push_request_errors_array(cluster_.get(), kProduce, errors.size(),
                                                std::data(errors));
    }
    /// The next one, and what is sent again because of that.
    void answer_late(int ms) {
        for (int i = 0; i < 3; ++i) {
            rd_kafka_mock_broker_push_request_error_rtts(cluster_.get(), 1, kProduce, 1,
                                                         RD_KAFKA_RESP_ERR_NO_ERROR, ms);
        }
    }
    void down() { rd_kafka_mock_broker_set_down(cluster_.get(), 1); }
    void up() { rd_kafka_mock_broker_set_up(cluster_.get(), 1); }

private:
    Handle host_;
    std::unique_ptr<rd_kafka_mock_cluster_t, Deleter<rd_kafka_mock_cluster_destroy>> cluster_;
};

class Renewals final : public KafkaLogObserver {
public:
    void renewed(const std::string&, std::size_t) noexcept override { ++count_; }
    int count() const { return count_; }

private:
    std::atomic<int> count_ = 0;
};

class KafkaProducer : public testing::Test {
protected:
    KafkaProducer() {
        options_.brokers = broker_.url();
        options_.observer = &renewals_;
    }
    Producer& producer() {
        if (producer_) return *producer_;
        graveyard_.emplace(system_env(), options_);
        auto opened = Producer::open(system_env(), options_, *graveyard_);
        if (!opened) throw std::runtime_error(opened.error().text);
        producer_ = std::move(*opened);
        return *producer_;
    }
    Result<Offset> append(const std::string& value) {
        test::AppendCollector collector(system_env());
        Record record;
        record.value = as_bytes(value);
        producer().append(kAt, {&record, 1}, 7, collector);
        if (!collector.wait_for(1)) return error(Code::invalid, "not answered");
        EXPECT_EQ(collector.repeated(), 0u);
        return collector.results().at(7);
    }
    void expect_offset(const std::string& value, std::uint64_t offset) {
        const auto appended = append(value);
        ASSERT_TRUE(appended) << appended.error().text;
        EXPECT_EQ(*appended, Offset(offset));
    }
    /// Values on the log from offset 0 on, `count` of them.
    std::vector<std::string> values(std::size_t count) {
        auto fetcher = Fetcher::open(system_env(), options_, *graveyard_, Role::reader, "g");
        if (!fetcher || !(*fetcher)->start(kAt, Offset(0))) return {};
        std::vector<std::string> found;
        const MonoTime by = system_env().clock.mono() + std::chrono::seconds(30);
        while (found.size() < count && system_env().clock.mono() < by) {
            Message message;
            const auto taken = (*fetcher)->take(kAt, message);
            if (!taken) break;
            if (*taken == Fetcher::Taken::message) {
                found.emplace_back(static_cast<const char*>(message->payload), message->len);
            } else if (*taken == Fetcher::Taken::nothing) {
                (*fetcher)->wake().wait_until(by);
            }
        }
        return found;
    }

    MockBroker broker_;
    KafkaLogOptions options_;
    Renewals renewals_;
    std::optional<Graveyard> graveyard_;
    std::unique_ptr<Producer> producer_;
};

TEST_F(KafkaProducer, TellsTheOffsetOfWhatIsAcknowledged) {
    expect_offset("a", 0);
    expect_offset("b", 1);
    EXPECT_EQ(values(2), (std::vector<std::string>{"a", "b"}));
}

TEST_F(KafkaProducer, SaysUnknownWhenTheAcknowledgementComesTooLate) {
    options_.properties["message.timeout.ms"] = "1000";
    ASSERT_TRUE(append("first"));
    broker_.answer_late(4000);
    const auto late = append("late");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().effect, Effect::unknown);
    // It is there indeed: a caller that was told "none" would have sold the unit again.
    EXPECT_EQ(values(2), (std::vector<std::string>{"first", "late"}));
}

#if PENSTOCK_FAILPOINTS
TEST_F(KafkaProducer, WouldLieAboutALateAcknowledgementWithoutItsDoubt) {
    options_.properties["message.timeout.ms"] = "1000";
    options_.test_unknown_is_none = true;
    ASSERT_TRUE(append("first"));
    broker_.answer_late(4000);
    const auto late = append("late");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().effect, Effect::none);
    EXPECT_EQ(values(2), (std::vector<std::string>{"first", "late"}));
}
#endif

TEST_F(KafkaProducer, SaysNoneWhenNothingWasEverSent) {
    options_.properties["message.timeout.ms"] = "1000";
    broker_.down();
    const auto unsent = append("unsent");
    ASSERT_FALSE(unsent);
    EXPECT_EQ(unsent.error().effect, Effect::none);
    EXPECT_EQ(unsent.error().code, Code::unreachable);
    broker_.up();
    expect_offset("sent", 0);
}

TEST_F(KafkaProducer, SaysNoneWhenTheBrokerRefuses) {
    broker_.fail_next({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
    const auto refused = append("refused");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_EQ(refused.error().code, Code::too_large);
    expect_offset("taken", 0);
}

TEST_F(KafkaProducer, SendsAgainWhatABrokerCouldNotTakeYet) {
    broker_.fail_next({RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                       RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
    expect_offset("a", 0);
    EXPECT_EQ(values(1), std::vector<std::string>{"a"});
}

TEST_F(KafkaProducer, TakesAnotherProducerAfterAFatalErrorOfTheBroker) {
    ASSERT_TRUE(append("before"));
    broker_.fail_next({RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                       RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
    const auto doubtful = append("doubtful");
    ASSERT_FALSE(doubtful);
    EXPECT_EQ(doubtful.error().effect, Effect::unknown);
    auto after = append("after");
    const MonoTime by = system_env().clock.mono() + std::chrono::seconds(30);
    while (!after && system_env().clock.mono() < by) {
        EXPECT_EQ(after.error().effect, Effect::none);  // fenced: refused, nothing is sent
        after = append("after");
    }
    ASSERT_TRUE(after) << after.error().text;
    EXPECT_EQ(renewals_.count(), 1);
}

#if PENSTOCK_FAILPOINTS
TEST_F(KafkaProducer, WritesOnThroughOneFatalErrorAfterAnother) {
    int done = 0;
    for (int round = 0; round < 4; ++round) {
        producer().test_fatal_error();
        const MonoTime by = system_env().clock.mono() + std::chrono::seconds(30);
        bool taken = false;
        while (!taken && system_env().clock.mono() < by) {
            taken = renewals_.count() > round && append("x").ok();
        }
        done += taken ? 1 : 0;
    }
    EXPECT_EQ(done, 4);
    EXPECT_EQ(renewals_.count(), 4);
    EXPECT_EQ(values(4).size(), 4u);
}
#endif

TEST_F(KafkaProducer, AnswersAllAtTheStop) {
    options_.properties["message.timeout.ms"] = "60000";
    ASSERT_TRUE(append("first"));
    broker_.answer_late(20'000);
    test::AppendCollector collector(system_env());
    Record record;
    record.value = as_bytes("x");
    const std::vector<Record> records(50, record);
    producer().append(kAt, records, 0, collector);
    producer().stop(system_env().clock.mono() + std::chrono::milliseconds(300));
    EXPECT_EQ(collector.size(), 50u);
    for (const auto& [tag, result] : collector.results()) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().effect, Effect::unknown);
        EXPECT_EQ(result.error().code, Code::stopped);
    }
    producer().stop(system_env().clock.mono());
    EXPECT_EQ(collector.repeated(), 0u);
}

}  // namespace
}  // namespace penstock::logkafka
