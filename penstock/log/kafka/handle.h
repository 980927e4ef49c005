#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/log/kafka/options.h"
#include "penstock/log/log.h"

/// librdkafka's objects with their owners, and its errors in our words.
namespace penstock::logkafka {

template <auto Function>
struct Deleter {
    template <class T>
    void operator()(T* object) const noexcept {
        Function(object);
    }
};

using Conf = std::unique_ptr<rd_kafka_conf_t, Deleter<rd_kafka_conf_destroy>>;
using Handle = std::unique_ptr<rd_kafka_t, Deleter<rd_kafka_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                      Deleter<rd_kafka_topic_partition_list_destroy>>;
using Failure = std::unique_ptr<rd_kafka_error_t, Deleter<rd_kafka_error_destroy>>;

/// What a client is for; each has settings of its own.
enum class Role {
    admin,       ///< topics, settings, ends of partitions; belongs to no group
    producer,    ///< acks=all, idempotent
    reader,      ///< short reads from anywhere
    subscriber,  ///< follows partitions, reports a group's offsets
    probe        ///< lives for a moment; its errors are events on its main queue
};

/// unsafe: a property that a guarantee rests on; invalid: librdkafka does not know it, or refuses
/// the value. Both with the property's name.
Result<void> check_properties(const KafkaLogOptions& options);

/// `group`: for subscribers. The observer hears the client's warnings.
Result<Handle> make_client(Role role, const KafkaLogOptions& options,
                           const std::string& group = "penstock-reader");

/// Our error of librdkafka's. `what` begins the text.
Error error_of(rd_kafka_resp_err_t code, const std::string& what, const char* detail = nullptr);

std::string text_of(const TopicPartition& at);
int timeout_ms(std::chrono::nanoseconds left);

inline void note(const KafkaLogOptions& options, const std::string& text) {
    if (options.observer != nullptr) options.observer->note(text);
}

}  // namespace penstock::logkafka
