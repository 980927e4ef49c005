#include "test/integration/kafka_kit.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace penstock::test {
namespace {

constexpr int kPatience_ms = 30'000;

void require(bool good, const std::string& what) {
    if (!good) throw std::runtime_error(what);
}

}  // namespace

void Heard::note(const std::string& text) noexcept {
    const MutexLock lock(mutex_);
    notes_.push_back(text);
}

void Heard::renewed(const std::string&, std::size_t) noexcept {
    const MutexLock lock(mutex_);
    ++renewals_;
}

bool Heard::has_note(const std::string& part) {
    const MutexLock lock(mutex_);
    return std::any_of(notes_.begin(), notes_.end(), [&](const std::string& note) {
        return note.find(part) != std::string::npos;
    });
}

std::size_t Heard::renewals() {
    const MutexLock lock(mutex_);
    return renewals_;
}

Stranger::Stranger(const std::string& brokers, const Settings& settings) {
    logkafka::Conf conf(rd_kafka_conf_new());
    char why[256] = "";
    rd_kafka_conf_set(conf.get(), "bootstrap.servers", brokers.c_str(), why, sizeof why);
    for (const auto& [name, value] : settings) {
        require(rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why, sizeof why) ==
                    RD_KAFKA_CONF_OK,
                why);
    }
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why, sizeof why));
    require(client_ != nullptr, why);
    (void)conf.release();
}

void Stranger::make_topic(const std::string& topic, const Settings& settings, int replicas,
                          int partitions) {
    char why[256] = "";
    rd_kafka_NewTopic_t* fresh =
        rd_kafka_NewTopic_new(topic.c_str(), partitions, replicas, why, sizeof why);
    require(fresh != nullptr, why);
    for (const auto& [name, value] : settings) {
        rd_kafka_NewTopic_set_config(fresh, name.c_str(), value.c_str());
    }
    const logkafka::Queue queue(rd_kafka_queue_new(client_.get()));
    rd_kafka_CreateTopics(client_.get(), &fresh, 1, nullptr, queue.get());
    const logkafka::Event event(rd_kafka_queue_poll(queue.get(), kPatience_ms));
    rd_kafka_NewTopic_destroy(fresh);
    require(event != nullptr, "no answer to CreateTopics");
    std::size_t count = 0;
    const auto* results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event.get()), &count);
    require(count == 1 && rd_kafka_topic_result_error(results[0]) == RD_KAFKA_RESP_ERR_NO_ERROR,
            "topic " + topic + " was not made");
}

void Stranger::write(
    const std::string& topic, const char* key, const char* value,
    const std::vector<std::pair<std::string, std::optional<std::string>>>& headers) {
    rd_kafka_headers_t* all = headers.empty() ? nullptr : rd_kafka_headers_new(headers.size());
    for (const auto& [name, text] : headers) {
        rd_kafka_header_add(all, name.c_str(), -1, text ? text->data() : nullptr,
                            text ? static_cast<ssize_t>(text->size()) : 0);
    }
    const auto length = [](const char* text) { return text == nullptr ? 0 : std::strlen(text); };
    const auto sent = rd_kafka_producev(
        client_.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, length(key)),
        RD_KAFKA_V_VALUE(const_cast<char*>(value), length(value)), RD_KAFKA_V_HEADERS(all),
        RD_KAFKA_V_END);
    require(sent == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(sent));
    require(rd_kafka_flush(client_.get(), kPatience_ms) == RD_KAFKA_RESP_ERR_NO_ERROR,
            "a stranger's record was not acknowledged");
}

Record text_record(std::string_view key, std::string_view value) {
    Record record;
    record.key = as_bytes(key);
    record.value = as_bytes(value);
    return record;
}

KafkaLogOptions options_for(const std::string& brokers) {
    KafkaLogOptions options;
    options.brokers = brokers;
    options.accept_data_loss = true;
    return options;
}

std::unique_ptr<KafkaLog> open_log(const KafkaLogOptions& options) {
    auto log = KafkaLog::open(system_env(), options);
    require(log.ok(), log ? "" : log.error().text);
    return std::move(*log);
}

void make_topic(Log& log, const std::string& topic, std::uint32_t partitions) {
    TopicSpec spec;
    spec.topic = TopicId(topic);
    spec.partitions = partitions;
    const auto made = log.create(spec);
    require(made.ok(), made ? "" : made.error().text);
}

TopicPartition first_of(const std::string& topic) {
    return {TopicId(topic), PartitionId(0)};
}

MonoTime soon(std::chrono::seconds in) {
    return system_env().clock.mono() + in;
}

std::vector<Result<Offset>> append(Log& log, const TopicPartition& at,
                                   const std::vector<std::string>& values) {
    AppendCollector collector(system_env());
    std::vector<Record> records;
    for (const std::string& value : values) records.push_back(text_record("k", value));
    log.append(at, records, 0, collector);
    require(collector.wait_for(values.size()), "an append was not answered");
    std::vector<Result<Offset>> answers;
    for (auto& [tag, result] : collector.results()) answers.push_back(result);
    return answers;
}

std::vector<std::string> all_values(Log& log, const TopicPartition& at) {
    std::vector<std::string> values;
    const auto described = log.describe(at.topic);
    require(described.ok(), described ? "" : described.error().text);
    const PartitionInfo& info = described->front().partitions.at(at.partition.value());
    Offset next = info.start;
    while (next < info.end) {
        const auto batch = log.read(at, next, {});
        require(batch.ok(), batch ? "" : batch.error().text);
        if ((*batch)->records().empty()) break;
        for (const Logged& record : (*batch)->records()) {
            values.emplace_back(record.value ? as_text(*record.value) : "(none)");
            next = Offset(record.offset.value() + 1);
        }
    }
    return values;
}

bool wait_until(const std::function<bool()>& condition) {
    const auto wake = system_env().executor.make_wake();
    const MonoTime by = soon();
    while (!condition()) {
        const MonoTime now = system_env().clock.mono();
        if (now >= by) return false;
        wake->wait_until(now + std::chrono::milliseconds(20));
    }
    return true;
}

}  // namespace penstock::test
