#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "test/integration/kafka_kit.h"

// The log on one real broker: addresses, properties, what others wrote, groups, histories.
namespace penstock::test {
namespace {

class KafkaLogOnABroker : public testing::Test {
protected:
    static void SetUpTestSuite() {
        engines_ = new Engines;
        broker_ = engines_->start("kafka", "kafka");
    }
    static void TearDownTestSuite() {
        delete engines_;
        engines_ = nullptr;
    }
    KafkaLogOptions options() {
        KafkaLogOptions options = options_for(broker_.url);
        options.observer = &heard_;
        return options;
    }

    static inline Engines* engines_ = nullptr;
    static inline EngineAt broker_;
    Heard heard_;
};

Result<Subscription::Polled> poll_records(Subscription& subscription) {
    const MonoTime by = soon();
    for (;;) {
        auto polled = subscription.poll({}, by);
        if (!polled || !polled->slices.empty() || system_env().clock.mono() >= by) return polled;
    }
}

TEST_F(KafkaLogOnABroker, NamesTheAddressThatDoesNotAnswer) {
    KafkaLogOptions options = options_for(fmt::format("127.0.0.1:{}", free_port()));
    options.connect_time = std::chrono::milliseconds(800);
    const auto log = KafkaLog::open(system_env(), options);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, Code::unreachable);
    EXPECT_NE(log.error().text.find(options.brokers), std::string::npos) << log.error().text;
}

TEST_F(KafkaLogOnABroker, RefusesPropertiesThatAPromiseRestsOn) {
    for (const auto& [name, value] : Settings{{"acks", "1"},
                                              {"enable.idempotence", "false"},
                                              {"auto.offset.reset", "latest"},
                                              {"check.crcs", "false"},
                                              {"isolation.level", "read_uncommitted"},
                                              {"enable.auto.commit", "true"},
                                              {"partitioner", "random"},
                                              {"max.in.flight", "6"},
                                              {"transactional.id", "t"}}) {
        KafkaLogOptions refused = options();
        refused.properties = {{name, value}};
        const auto log = KafkaLog::open(system_env(), refused);
        ASSERT_FALSE(log) << name;
        EXPECT_EQ(log.error().code, Code::unsafe) << name;
        EXPECT_NE(log.error().text.find(name), std::string::npos) << log.error().text;
    }
    KafkaLogOptions unknown = options();
    unknown.properties = {{"no.such.property", "1"}};
    const auto log = KafkaLog::open(system_env(), unknown);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, Code::invalid);
    EXPECT_NE(log.error().text.find("no.such.property"), std::string::npos);
}

TEST_F(KafkaLogOnABroker, TellsWhomItTalksTo) {
    KafkaLogOptions given = options();
    given.properties = {{"client.id", "shop"}, {"compression.codec", "lz4"}};
    const auto log = open_log(given);
    EXPECT_EQ(log->peers().brokers, 1u);
    EXPECT_NE(log->peers().client.find("librdkafka"), std::string::npos);
    EXPECT_NE(log->peers().broker_version.find("Kafka"), std::string::npos);
    EXPECT_FALSE(log->peers().cluster.empty());
    EXPECT_TRUE(heard_.has_note("only one Kafka address"));
}

TEST_F(KafkaLogOnABroker, MakesNoUnsafeTopicUnlessTold) {
    KafkaLogOptions strict = options();
    strict.accept_data_loss = false;
    const auto log = open_log(strict);
    for (const auto& [factor, isr] : {std::pair(1u, 1u), std::pair(3u, 1u), std::pair(2u, 2u)}) {
        strict.replication_factor = factor;
        strict.min_insync_replicas = isr;
        TopicSpec spec;
        spec.topic = TopicId("unsafe");
        const auto made = open_log(strict)->create(spec);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, Code::unsafe);
        EXPECT_EQ(log->describe(spec.topic).error().code, Code::not_found);
    }
    TopicSpec spec;
    spec.topic = TopicId("three-copies");
    const auto made = log->create(spec);
    ASSERT_FALSE(made);  // there is one broker
    EXPECT_EQ(made.error().code, Code::invalid) << made.error().text;
}

TEST_F(KafkaLogOnABroker, RefusesATopicWithOneCopyByName) {
    make_topic(*open_log(options()), "one-copy");
    KafkaLogOptions strict = options();
    strict.accept_data_loss = false;
    const auto log = open_log(strict);
    const auto subscription = log->subscribe({"g", {first_of("one-copy")}});
    ASSERT_FALSE(subscription);
    EXPECT_EQ(subscription.error().code, Code::unsafe);
    EXPECT_NE(subscription.error().text.find("replication factor"), std::string::npos);
    const auto appended = append(*log, first_of("one-copy"), {"x"});
    ASSERT_FALSE(appended[0]);
    EXPECT_EQ(appended[0].error().code, Code::unsafe);
    EXPECT_EQ(appended[0].error().effect, Effect::none);
    const auto described = log->describe(TopicId("one-copy"));
    ASSERT_TRUE(described);
    ASSERT_TRUE(described->front().partitions[0].stopped.has_value());
    EXPECT_EQ(described->front().partitions[0].stopped->code, Code::unsafe);
    EXPECT_EQ(described->front().partitions[0].end, Offset(0));
}

TEST_F(KafkaLogOnABroker, ReadsWhatOthersWroteAsItIs) {
    Stranger stranger(broker_.url);
    stranger.make_topic("foreign", {});
    stranger.write("foreign", nullptr, "no key");
    stranger.write("foreign", "k", nullptr);
    stranger.write("foreign", "", "");
    stranger.write("foreign", "k", "not json",
                   {{"penstock-layout", "not a number"}, {"none", std::nullopt}});
    stranger.write("foreign", "k", "v", {{"penstock-layout", "12"}, {"a", "1"}});
    const auto log = open_log(options());
    const auto batch = log->read(first_of("foreign"), Offset(0), {});
    ASSERT_TRUE(batch) << batch.error().text;
    const auto records = (*batch)->records();
    ASSERT_EQ(records.size(), 5u);
    EXPECT_FALSE(records[0].key.has_value());
    EXPECT_EQ(as_text(*records[0].value), "no key");
    EXPECT_TRUE(records[0].headers.empty());
    EXPECT_EQ(records[0].layout, LayoutId(0));
    EXPECT_FALSE(records[1].value.has_value());
    EXPECT_EQ(records[2].key->size(), 0u);
    EXPECT_EQ(records[2].value->size(), 0u);
    ASSERT_EQ(records[3].headers.size(), 2u);
    EXPECT_EQ(records[3].headers[0].name, "penstock-layout");
    EXPECT_EQ(records[3].headers[1].value.size(), 0u);
    EXPECT_EQ(records[3].layout, LayoutId(0));
    ASSERT_EQ(records[4].headers.size(), 1u);
    EXPECT_EQ(records[4].layout, LayoutId(12));
}

TEST_F(KafkaLogOnABroker, KeepsARecordsOwnHeaderOfOurName) {
    const auto log = open_log(options());
    make_topic(*log, "alike");
    const std::array<Header, 1> headers{Header{"penstock-layout", as_bytes("5")}};
    Record record = text_record("k", "v");
    record.headers = headers;
    AppendCollector collector(system_env());
    log->append(first_of("alike"), {&record, 1}, 0, collector);
    ASSERT_TRUE(collector.wait_for(1));
    const auto batch = log->read(first_of("alike"), Offset(0), {});
    ASSERT_TRUE(batch);
    const Logged& read = (*batch)->records()[0];
    EXPECT_EQ(read.layout, LayoutId(0));
    ASSERT_EQ(read.headers.size(), 1u);
    EXPECT_EQ(as_text(read.headers[0].value), "5");
}

/// A transaction's marks take offsets of their own, aborted records are not seen.
TEST_F(KafkaLogOnABroker, ReadsOverTheGapsOfTransactions) {
    Stranger plain(broker_.url);
    plain.make_topic("gaps", {});
    Stranger writer(broker_.url, {{"transactional.id", "stranger"}});
    const auto good = [](rd_kafka_error_t* failed) { return !logkafka::Failure(failed); };
    ASSERT_TRUE(good(rd_kafka_init_transactions(writer.client(), 30'000)));
    for (const bool commits : {true, false, true}) {
        ASSERT_TRUE(good(rd_kafka_begin_transaction(writer.client())));
        writer.write("gaps", "k", commits ? "kept" : "aborted");
        ASSERT_TRUE(good(commits ? rd_kafka_commit_transaction(writer.client(), 30'000)
                                 : rd_kafka_abort_transaction(writer.client(), 30'000)));
    }
    const auto log = open_log(options());
    const auto subscription = log->subscribe({"gaps", {first_of("gaps")}});
    ASSERT_TRUE(subscription);
    ASSERT_TRUE((*subscription)->poll({}, soon()));
    ASSERT_TRUE((*subscription)->start(first_of("gaps"), Offset(0)));
    std::vector<std::uint64_t> offsets;
    while (offsets.size() < 2) {
        const auto polled = poll_records(**subscription);
        ASSERT_TRUE(polled && !polled->slices.empty());
        for (const Logged& record : polled->slices[0].records) {
            EXPECT_EQ(as_text(*record.value), "kept");
            offsets.push_back(record.offset.value());
        }
    }
    EXPECT_EQ(offsets, (std::vector<std::uint64_t>{0, 4}));
    EXPECT_EQ(all_values(*log, first_of("gaps")), (std::vector<std::string>{"kept", "kept"}));
    // Only a mark is left: nothing to read, and no wait for what does not come.
    EXPECT_TRUE((*log->read(first_of("gaps"), Offset(5), {}))->records().empty());
}

TEST_F(KafkaLogOnABroker, ShowsTheGroupsProgressToKafkasTools) {
    const auto log = open_log(options());
    make_topic(*log, "progress");
    append(*log, first_of("progress"), {"a", "b", "c", "d", "e"});
    {
        const auto subscription = log->subscribe({"the-group", {first_of("progress")}});
        ASSERT_TRUE(subscription);
        ASSERT_TRUE((*subscription)->poll({}, soon()));
        ASSERT_TRUE((*subscription)->start(first_of("progress"), Offset(0)));
        ASSERT_TRUE(poll_records(**subscription));
        (*subscription)->report(first_of("progress"), Offset(3));
    }  // says it once more at its end
    const std::string command = fmt::format(
        "java -cp \"${{XDG_CACHE_HOME:-$HOME/.cache}}/penstock/kafka-4.1.0/*\" "
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "
        "--bootstrap-server {} --describe --group the-group 2>&1",
        broker_.url);
    std::string shown;
    EXPECT_TRUE(wait_until([&] {
        shown.clear();
        FILE* tool = ::popen(command.c_str(), "r");
        char text[512];
        while (tool != nullptr && std::fgets(text, sizeof text, tool) != nullptr) shown += text;
        if (tool != nullptr) ::pclose(tool);
        // group, topic, partition, offset, end, lag
        std::string line = shown.substr(std::min(shown.find("the-group "), shown.size()));
        line.erase(std::unique(line.begin(), line.end(),
                               [](char a, char b) { return a == ' ' && b == ' '; }),
                   line.end());
        return line.starts_with("the-group progress 0 3 5 2 ");
    })) << shown;
}

TEST_F(KafkaLogOnABroker, LearnsThatSomebodyElseAddedPartitions) {
    const auto log = open_log(options());
    make_topic(*log, "grows", 1);
    ASSERT_TRUE(append(*log, first_of("grows"), {"x"})[0]);
    TopicSpec grown;
    grown.topic = TopicId("grows");
    grown.partitions = 3;
    ASSERT_TRUE(open_log(options())->alter(grown));
    const auto appended = append(*log, {TopicId("grows"), PartitionId(2)}, {"y"});
    ASSERT_TRUE(appended[0]) << appended[0].error().text;
    EXPECT_EQ(*appended[0], Offset(0));
}

}  // namespace
}  // namespace penstock::test
