#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace penstock {

/// Hears what the log does, for metrics and messages. Threads: called from the log's threads and
/// librdkafka's; must not wait and must not call the log.
class KafkaLogObserver {
public:
    virtual ~KafkaLogObserver() = default;
    /// Records were acknowledged by all in-sync replicas; `took` since the first was appended.
    virtual void synced(std::size_t /*records*/, std::size_t /*bytes*/,
                        std::chrono::nanoseconds /*took*/) noexcept {}
    /// A producer met a fatal error and another took its place; `unknown` records were in doubt.
    virtual void renewed(const std::string& /*why*/, std::size_t /*unknown*/) noexcept {}
    /// A sentence for the operator.
    virtual void note(const std::string&) noexcept {}
};

struct KafkaLogOptions {
    std::string brokers;  ///< bootstrap addresses: host:port,host:port
    /// Works with topics that can lose acknowledged records, too; each is noted.
    bool accept_data_loss = false;
    /// Of topics made here. None: 3; with accept_data_loss as many of them as there are brokers.
    std::optional<std::uint32_t> replication_factor;
    /// Of topics made here. None: one fewer than the replication factor, at least 1.
    std::optional<std::uint32_t> min_insync_replicas;
    /// Further properties of librdkafka. Those that a guarantee rests on are refused by open().
    std::map<std::string, std::string> properties;
    std::size_t max_pending_records = 1 << 18;         ///< per partition, not yet durable
    std::size_t max_pending_bytes = 16 * 1024 * 1024;  ///< per partition, not yet durable
    std::chrono::milliseconds connect_time{10'000};    ///< open() gives up after it
    KafkaLogObserver* observer = nullptr;              ///< outlives the log
#if PENSTOCK_FAILPOINTS
    bool test_unknown_is_none = false;  ///< tells callers that what is in doubt is not there
    bool test_no_history = false;  ///< follows a topic that was made again as if it were the same
#endif
};

/// Whom we talk to, for messages and `penstock version --connect`.
struct KafkaPeers {
    std::string cluster;         ///< the cluster's id
    std::string client;          ///< e.g. "librdkafka 2.0.2"
    std::string broker_version;  ///< what the broker tells of it; empty: nothing
    std::size_t brokers = 0;
};

}  // namespace penstock
