#pragma once

#include <vector>

#include "penstock/log/kafka/handle.h"

namespace penstock::logkafka {

/// Fetched messages as records; they borrow from the messages, which it keeps. Threads: one.
class Haul final : public ReadBatch {
public:
    explicit Haul(const ReadLimits& limits) : left_(limits) {}
    /// Empty again; keeps its memory.
    void begin(const ReadLimits& limits);

    /// False: it does not fit, `message` is untouched. The first one always fits.
    bool add(Message& message);
    bool full() const { return left_.max_records == 0 || left_.max_bytes == 0; }
    std::size_t size() const { return records_.size(); }
    /// After the last add(), before records().
    void seal();
    std::span<const Logged> records() const override { return records_; }

private:
    struct Range {
        std::size_t first;
        std::size_t count;
    };

    ReadLimits left_;  ///< of what may still come
    std::vector<Message> messages_;
    std::vector<Logged> records_;
    std::vector<Header> headers_;
    std::vector<Range> headers_of_;
};

}  // namespace penstock::logkafka
