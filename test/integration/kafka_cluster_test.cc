#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test/integration/kafka_load.h"

// Three brokers: what keeps records safe is made and checked, and keeps them.
namespace penstock::test {
namespace {

class KafkaCluster : public testing::Test {
protected:
    static void SetUpTestSuite() {
        engines_ = new Engines;
        for (const EngineAt& broker : engines_->start_brokers(3, kQuickBrokers)) {
            brokers_ += (brokers_.empty() ? "" : ",") + broker.url;
        }
    }
    static void TearDownTestSuite() {
        delete engines_;
        engines_ = nullptr;
    }
    KafkaLogOptions options() {
        KafkaLogOptions options;
        options.brokers = brokers_;
        options.observer = &heard_;
        return options;
    }

    static inline Engines* engines_ = nullptr;
    static inline std::string brokers_;
    Heard heard_;
};

TEST_F(KafkaCluster, RefusesUnsafeSettingsByName) {
    const Settings safe{{"min.insync.replicas", "2"}, {"message.timestamp.type", "LogAppendTime"}};
    const std::vector<std::tuple<std::string, std::string, std::string>> unsafe{
        {"cleanup.policy", "compact", "cleanup.policy"},
        {"min.insync.replicas", "1", "min.insync.replicas"},
        {"unclean.leader.election.enable", "true", "unclean.leader.election.enable"},
        {"message.timestamp.type", "CreateTime", "message.timestamp.type"}};
    Stranger stranger(brokers_);
    stranger.make_topic("safe", safe, 3);
    stranger.make_topic("two-copies", safe, 2);
    const auto log = open_log(options());
    const auto refused_for = [&](const std::string& topic, const std::string& setting) {
        // Each broker learns of a new topic in its own time.
        EXPECT_TRUE(wait_until([&] { return log->describe(TopicId(topic)).ok(); }));
        const auto subscription = log->subscribe({"g", {first_of(topic)}});
        EXPECT_FALSE(subscription) << topic;
        if (subscription) return;
        EXPECT_EQ(subscription.error().code, Code::unsafe);
        EXPECT_NE(subscription.error().text.find(setting), std::string::npos)
            << subscription.error().text;
        const auto answer = append(*log, first_of(topic), {"x"});
        EXPECT_EQ(answer[0].error().code, Code::unsafe);
    };
    for (const auto& [setting, value, said] : unsafe) {
        Settings settings = safe;
        settings[setting] = value;
        const std::string topic = "unsafe-" + setting;
        stranger.make_topic(topic, settings, 3);
        refused_for(topic, said);
    }
    refused_for("two-copies", "replication factor");
    const auto appended = append(*log, first_of("safe"), {"x"});
    EXPECT_TRUE(appended[0]) << appended[0].error().text;

    KafkaLogOptions bold = options();
    bold.accept_data_loss = true;
    EXPECT_TRUE(append(*open_log(bold), first_of("two-copies"), {"x"})[0]);
    EXPECT_TRUE(heard_.has_note("acknowledged data can be lost"));
}

TEST_F(KafkaCluster, MakesTopicsThatSurviveTheDeathOfABroker) {
    const auto log = open_log(options());
    EXPECT_EQ(log->peers().brokers, 3u);
    EXPECT_FALSE(heard_.has_note("only one Kafka address"));
    // Its leaders are spread over the brokers: whichever dies leads one.
    make_topic(*log, "survives", 3);
    std::vector<std::unique_ptr<Reader>> readers;
    std::vector<std::unique_ptr<Load>> loads;
    for (std::uint32_t i = 0; i < 3; ++i) {
        const TopicPartition at{TopicId("survives"), PartitionId(i)};
        readers.push_back(std::make_unique<Reader>(*log, at));
        loads.push_back(std::make_unique<Load>(*log, at));
    }
    const auto each_writes = [&](std::size_t more) {
        std::vector<std::size_t> goals;
        for (const auto& load : loads) goals.push_back(load->durable() + more);
        return wait_until([&] {
            for (std::size_t i = 0; i < loads.size(); ++i) {
                if (loads[i]->durable() < goals[i]) return false;
            }
            return true;
        });
    };
    EXPECT_TRUE(each_writes(300));
    engines_->kill("kafka-2");
    EXPECT_TRUE(each_writes(300));
    engines_->restart("kafka-2");
    EXPECT_TRUE(each_writes(300));
    for (const auto& load : loads) load->stop();
    for (std::uint32_t i = 0; i < 3; ++i) {
        const auto values = all_values(*log, {TopicId("survives"), PartitionId(i)});
        check_history(*loads[i], values);
        EXPECT_TRUE(wait_until([&] { return readers[i]->values().size() >= values.size(); }));
        readers[i]->stop();
        EXPECT_EQ(readers[i]->values(), values);
    }
}

}  // namespace
}  // namespace penstock::test
