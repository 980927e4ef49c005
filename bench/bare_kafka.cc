#include "bench/bare_kafka.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "bench/measure.h"
#include "penstock/base/env.h"

namespace penstock::bench {
namespace {

rd_kafka_t* make(rd_kafka_type_t type, const std::map<std::string, std::string>& settings) {
    char why[256] = "";
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    for (const auto& [name, value] : settings) {
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            std::abort();
        }
    }
    if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
    if (client == nullptr) std::abort();
    return client;
}

}  // namespace

std::vector<Command> make_commands() {
    std::vector<Command> commands(10'000);
    std::uint64_t state = 1;
    for (Command& command : commands) {
        const auto next = [&] {
            return state = state * 6364136223846793005u + 1442695040888963407u;
        };
        command.key = fmt::format("user-{}", next() >> 44);
        command.value = fmt::format("{{\"resource\":\"coupon\",\"quantity\":1,\"note\":\"");
        while (command.value.size() < 98)
            command.value += static_cast<char>('a' + (next() >> 59) % 26);
        command.value += "\"}";
        std::string id(16, '\0');
        for (char& c : id) c = static_cast<char>(next() >> 56);
        command.headers = {{"id", id}, {"type", "sale.claim"}, {"requested-at", "1763720012345"}};
    }
    return commands;
}

BareKafka::BareKafka(const std::string& brokers, std::string topic)
    : topic_(std::move(topic)), brokers_(brokers) {
    producer_ = make(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers},
                                         {"enable.idempotence", "true"},
                                         {"acks", "all"},
                                         {"linger.ms", "0"},
                                         {"compression.codec", "zstd"},
                                         {"socket.nagle.disable", "true"},
                                         {"queue.buffering.max.messages", "2000000"}});
    reports_ = rd_kafka_queue_get_main(producer_);
    handle_ = rd_kafka_topic_new(producer_, topic_.c_str(), nullptr);
}

BareKafka::~BareKafka() {
    rd_kafka_topic_destroy(handle_);
    rd_kafka_queue_destroy(reports_);
    rd_kafka_destroy(producer_);
    if (consumer_ != nullptr) rd_kafka_destroy(consumer_);
}

void BareKafka::send(const Command& command) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(command.headers.size());
    for (const auto& [name, value] : command.headers) {
        rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                            static_cast<ssize_t>(value.size()));
    }
    const auto failed = rd_kafka_producev(
        producer_, RD_KAFKA_V_RKT(handle_), RD_KAFKA_V_PARTITION(0),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(command.key.data(), command.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(command.value.data()), command.value.size()),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) std::abort();
}

std::size_t BareKafka::landed(int wait_ms) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(reports_, wait_ms);
    if (event == nullptr) return 0;
    std::size_t count = 0;
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) std::abort();
        ++count;
    }
    rd_kafka_event_destroy(event);
    return count;
}

double BareKafka::append(const std::vector<Command>& commands, std::size_t records,
                         std::size_t in_flight) {
    const MonoTime began = system_env().clock.mono();
    std::size_t sent = 0;
    std::size_t done = 0;
    while (done < records) {
        if (sent < records && sent - done < in_flight) {
            send(commands[sent % commands.size()]);
            ++sent;
            if (sent % 100 == 0) done += landed(0);
        } else {
            done += landed(1000);
        }
    }
    return seconds_since(began);
}

double BareKafka::read(std::size_t records) {
    consumer_ = make(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers_},
                                         {"group.id", "bare"},
                                         {"isolation.level", "read_committed"},
                                         {"check.crcs", "true"},
                                         {"enable.auto.commit", "false"},
                                         {"enable.auto.offset.store", "false"},
                                         {"fetch.wait.max.ms", "100"},
                                         {"socket.nagle.disable", "true"}});
    rd_kafka_poll_set_consumer(consumer_);
    const MonoTime began = system_env().clock.mono();
    auto* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic_.c_str(), 0)->offset = 0;
    if (rd_kafka_assign(consumer_, list) != RD_KAFKA_RESP_ERR_NO_ERROR) std::abort();
    rd_kafka_topic_partition_list_destroy(list);
    std::size_t got = 0;
    while (got < records) {
        rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer_, 1000);
        if (message == nullptr) continue;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) std::abort();
        rd_kafka_headers_t* headers = nullptr;
        if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) std::abort();
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        std::size_t count = 0;
        while (rd_kafka_header_get_all(headers, count, &name, &value, &size) ==
               RD_KAFKA_RESP_ERR_NO_ERROR) {
            ++count;
        }
        rd_kafka_message_destroy(message);
        ++got;
    }
    return seconds_since(began);
}

double BareKafka::lone(const Command& command, std::size_t times) {
    std::vector<double> us;
    std::size_t done = 0;
    for (std::size_t i = 0; i < times; ++i) {
        const MonoTime began = system_env().clock.mono();
        send(command);
        rd_kafka_message_t* message = nullptr;
        while (message == nullptr) message = rd_kafka_consumer_poll(consumer_, 1000);
        us.push_back(seconds_since(began) * 1e6);
        rd_kafka_message_destroy(message);
        done += landed(0);
    }
    while (done < times) done += landed(1000);
    return median(std::move(us));
}

}  // namespace penstock::bench
