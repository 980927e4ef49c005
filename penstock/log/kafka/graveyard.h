#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/log/kafka/handle.h"

namespace penstock::logkafka {

/// Ends clients beside everybody's way: librdkafka 2.0.2 can hang in it (its issue #4724).
/// Threads: any.
class Graveyard {
public:
    Graveyard(Env& env, const KafkaLogOptions& options);
    /// Waits for all, at most 5 s; a client that hangs is left behind with its thread.
    ~Graveyard();

    /// `last_words` runs on the client's side thread before it ends.
    void bury(Handle client, std::function<void(rd_kafka_t*)> last_words = nullptr);

private:
    struct Grave {
        std::shared_ptr<std::atomic<bool>> closed;  ///< the digger's, too
        std::unique_ptr<Task> digger;
    };

    Env& env_;
    const KafkaLogOptions options_;
    /// Shared with the diggers, the last of which may outlive this.
    const std::shared_ptr<Wake> closed_;
    Mutex mutex_;
    std::vector<Grave> graves_ GUARDED_BY(mutex_);
};

}  // namespace penstock::logkafka
