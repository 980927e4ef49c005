#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/log/kafka/handle.h"
#include "penstock/log/kafka/kafka_log.h"
#include "test/kit/append_collector.h"
#include "test/kit/engines.h"

namespace penstock::test {

/// What a log said. Threads: any.
class Heard final : public KafkaLogObserver {
public:
    void note(const std::string& text) noexcept override;
    void renewed(const std::string& why, std::size_t unknown) noexcept override;
    bool has_note(const std::string& part);
    std::size_t renewals();

private:
    Mutex mutex_;
    std::vector<std::string> notes_ GUARDED_BY(mutex_);
    std::size_t renewals_ GUARDED_BY(mutex_) = 0;
};

using Settings = std::map<std::string, std::string>;

/// Of brokers that a test kills: the controller gives their place back soon.
inline const Settings kQuickBrokers{{"broker.session.timeout.ms", "2000"},
                                    {"broker.heartbeat.interval.ms", "300"}};

/// Somebody else on the same cluster, with librdkafka and no Penstock.
class Stranger {
public:
    explicit Stranger(const std::string& brokers, const Settings& settings = {});

    void make_topic(const std::string& topic, const Settings& settings, int replicas = 1,
                    int partitions = 1);
    /// Null means null; waits for the acknowledgement.
    void write(const std::string& topic, const char* key, const char* value,
               const std::vector<std::pair<std::string, std::optional<std::string>>>& headers = {});
    rd_kafka_t* client() { return client_.get(); }

private:
    logkafka::Handle client_;
};

Record text_record(std::string_view key, std::string_view value);
KafkaLogOptions options_for(const std::string& brokers);
std::unique_ptr<KafkaLog> open_log(const KafkaLogOptions& options);
void make_topic(Log& log, const std::string& topic, std::uint32_t partitions = 1);
TopicPartition first_of(const std::string& topic);
MonoTime soon(std::chrono::seconds in = std::chrono::seconds(60));
/// The answers to one append() of these values.
std::vector<Result<Offset>> append(Log& log, const TopicPartition& at,
                                   const std::vector<std::string>& values);
/// Values of all records from the start to the end.
std::vector<std::string> all_values(Log& log, const TopicPartition& at);
/// False: it did not become true within a minute.
bool wait_until(const std::function<bool()>& condition);

}  // namespace penstock::test
