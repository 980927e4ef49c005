#pragma once

#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/log/kafka/admin.h"
#include "penstock/log/kafka/fetcher.h"

namespace penstock::logkafka {

/// Reads from anywhere; keeps a few consumers that continue where they were. Threads: any.
class Readers {
public:
    Readers(Env& env, const KafkaLogOptions& options, Admin& admin, Graveyard& graveyard);

    /// As Log::read(); the partition is there.
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition& at, Offset from,
                                            const ReadLimits& limits);
    /// What read nothing for a while stops to fetch.
    void rest();

private:
    struct Reader {
        std::unique_ptr<Fetcher> fetcher;
        std::optional<TopicPartition> at;
        Offset next;
        MonoTime used;
    };

    Result<Reader> take(const TopicPartition& at, Offset from);
    void give_back(Reader reader);
    Result<std::unique_ptr<ReadBatch>> fill(Reader& reader, Offset end, const ReadLimits& limits);

    Env& env_;
    const KafkaLogOptions options_;
    Admin& admin_;
    Graveyard& graveyard_;
    Mutex mutex_;
    std::vector<Reader> idle_ GUARDED_BY(mutex_);
};

}  // namespace penstock::logkafka
