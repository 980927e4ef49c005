#include <gtest/gtest.h>

#include "penstock/log/kafka/kafka_log.h"
#include "test/contract/log_contract.h"
#include "test/kit/engines.h"

namespace penstock::contract {
namespace {

/// One broker for all tests of this program; each begins without topics.
class Broker final : public testing::Environment {
public:
    void SetUp() override { at_ = engines_.emplace().start("kafka", "kafka"); }
    void TearDown() override { engines_.reset(); }
    const std::string& url() const { return at_.url; }

private:
    std::optional<test::Engines> engines_;
    test::EngineAt at_;
};

Broker& broker() {
    static auto* const broker = static_cast<Broker*>(testing::AddGlobalTestEnvironment(new Broker));
    return *broker;
}

class KafkaFixture final : public LogFixture {
public:
    explicit KafkaFixture(std::size_t max_pending_bytes) {
        options_.brokers = broker().url();
        options_.accept_data_loss = true;  // a single broker
        options_.max_pending_bytes = max_pending_bytes;
        reopen();
        if (!log_) return;
        const auto left = log_->describe(std::nullopt);
        EXPECT_TRUE(left) << left.error().text;
        if (!left) return;
        for (const TopicInfo& topic : *left) EXPECT_TRUE(log_->remove(topic.spec.topic));
    }
    Env& env() override { return system_env(); }
    Log& log() override { return *log_; }
    void reopen() override {
        log_.reset();
        auto opened = KafkaLog::open(env(), options_);
        ASSERT_TRUE(opened) << opened.error().text;
        log_ = std::move(*opened);
    }

private:
    KafkaLogOptions options_;
    std::unique_ptr<KafkaLog> log_;
};

LogAdapter kafka() {
    (void)broker();
    LogAdapter adapter;
    adapter.name = "kafka";
    adapter.open = [](std::size_t max_pending_bytes) -> std::unique_ptr<LogFixture> {
        return std::make_unique<KafkaFixture>(max_pending_bytes);
    };
    adapter.knows_bytes = false;
    adapter.reads_ahead = true;
    return adapter;
}

INSTANTIATE_TEST_SUITE_P(Adapters, LogContract, testing::Values(kafka()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace penstock::contract
