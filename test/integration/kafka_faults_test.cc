#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "test/integration/kafka_load.h"

// Brokers and producers that fail under load, and come back.
namespace penstock::test {
namespace {

class KafkaFaults : public testing::Test {
protected:
    KafkaFaults() : broker_(engines_.start("kafka", "kafka", kQuickBrokers)) {}
    KafkaLogOptions options() {
        KafkaLogOptions options = options_for(broker_.url);
        options.observer = &heard_;
        return options;
    }

    Engines engines_;
    EngineAt broker_;
    Heard heard_;
};

#if PENSTOCK_FAILPOINTS
TEST_F(KafkaFaults, AFatalProducerIsReplacedUnderLoad) {
    const auto log = open_log(options());
    make_topic(*log, "fatal");
    Load load(*log, first_of("fatal"));
    for (std::size_t round = 1; round <= 3; ++round) {
        const std::size_t before = load.durable();
        ASSERT_TRUE(wait_until([&] { return load.durable() >= before + 200; }));
        log->test_fatal_error();
        ASSERT_TRUE(wait_until([&] { return heard_.renewals() >= round; }));
    }
    const std::size_t before = load.durable();
    EXPECT_TRUE(wait_until([&] { return load.durable() >= before + 200; }));  // writes again
    load.stop();
    check_history(load, all_values(*log, first_of("fatal")));
}
#endif

TEST_F(KafkaFaults, ABrokerThatIsKilledAndComesBackLosesNothing) {
    const auto log = open_log(options());
    make_topic(*log, "killed");
    Reader reader(*log, first_of("killed"));
    Load load(*log, first_of("killed"));
    ASSERT_TRUE(wait_until([&] { return load.durable() >= 500; }));
    engines_.kill("kafka");
    engines_.restart("kafka");
    const std::size_t before = load.durable();
    EXPECT_TRUE(wait_until([&] { return load.durable() >= before + 500; }));
    load.stop();
    const auto values = all_values(*log, first_of("killed"));
    check_history(load, values);
    // The subscription went on by itself and saw every record once, in order.
    EXPECT_TRUE(wait_until([&] { return reader.values().size() >= values.size(); }));
    reader.stop();
    EXPECT_EQ(reader.values(), values);
    EXPECT_FALSE(reader.failure().has_value()) << reader.failure()->text;
}

TEST_F(KafkaFaults, ABrokerThatFallsSilentLeavesDoubtAndNoLie) {
    KafkaLogOptions impatient = options();
    impatient.properties = {{"message.timeout.ms", "1500"}};
    const auto log = open_log(impatient);
    make_topic(*log, "silent");
    Load load(*log, first_of("silent"));
    ASSERT_TRUE(wait_until([&] { return load.durable() >= 500; }));
    engines_.pause("kafka");
    EXPECT_TRUE(wait_until([&] { return load.unknown() > 0; }));
    engines_.resume("kafka");
    const std::size_t before = load.durable();
    EXPECT_TRUE(wait_until([&] { return load.durable() >= before + 500; }));
    load.stop();
    check_history(load, all_values(*log, first_of("silent")));
}

TEST_F(KafkaFaults, AppendsWaitForABrokerThatComesBack) {
    const auto log = open_log(options());
    make_topic(*log, "waits");
    ASSERT_TRUE(append(*log, first_of("waits"), {"before"})[0]);
    engines_.kill("kafka");
    AppendCollector collector(system_env());
    const Record record = text_record("k", "while it was down");
    log->append(first_of("waits"), {&record, 1}, 0, collector);
    const auto unreachable = log->describe(TopicId("waits"));
    ASSERT_FALSE(unreachable);
    EXPECT_EQ(unreachable.error().code, Code::unreachable) << unreachable.error().text;
    EXPECT_EQ(collector.size(), 0u);
    engines_.restart("kafka");
    ASSERT_TRUE(collector.wait_for(1));
    EXPECT_TRUE(collector.results().at(0));
    EXPECT_EQ(all_values(*log, first_of("waits")),
              (std::vector<std::string>{"before", "while it was down"}));
}

}  // namespace
}  // namespace penstock::test
