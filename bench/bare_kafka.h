#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock::bench {

/// What a command looks like on the wire: a key, 100 bytes, a few headers.
struct Command {
    std::string key, value;
    std::vector<std::pair<std::string, std::string>> headers;
};

/// 10,000 of them; compression finds in them what it finds in ids and amounts.
std::vector<Command> make_commands();

/// The least that a program does with librdkafka under the same promises: idempotent, acks=all,
/// zstd, checked checksums, committed records only. Aborts on any error. Threads: one.
class BareKafka {
public:
    BareKafka(const std::string& brokers, std::string topic);
    ~BareKafka();

    double append(const std::vector<Command>& commands, std::size_t records, std::size_t in_flight);
    double read(std::size_t records);                        ///< from offset 0
    double lone(const Command& command, std::size_t times);  ///< p50 in microseconds

private:
    void send(const Command& command);
    std::size_t landed(int wait_ms);

    const std::string topic_;
    rd_kafka_t* producer_;
    rd_kafka_queue_t* reports_;
    rd_kafka_topic_t* handle_;
    rd_kafka_t* consumer_ = nullptr;
    std::string brokers_;
};

}  // namespace penstock::bench
