#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "penstock/edge/http/router.h"
#include "penstock/runtime/observer.h"

namespace penstock::http {

/// What the process tells Prometheus: names begin with penstock_, base units (seconds, bytes).
/// Metric objects are looked up when a route or partition is first seen, not per event.
/// Threads: any; request(), connections() and streams() the loop.
class Metrics final : public RuntimeObserver {
public:
    Metrics();
    ~Metrics() override;

    /// One answered request; no route: it matched none, or could not be read.
    void request(const Route* route, int status, std::chrono::nanoseconds took);
    void connections(std::size_t open);
    void streams(std::size_t open);

    void batch(const Batch& batch) noexcept override;
    void admission(Admission admission, std::size_t count) noexcept override;
    void disk_free(std::uint64_t bytes) noexcept override;

    /// One sync of a log file, for the log's own hook.
    void log_synced(std::size_t records, std::size_t bytes, std::chrono::nanoseconds took) noexcept;
    void lag(const TopicPartition& at, std::uint64_t records);
    void log_bytes(std::string_view topic, std::uint64_t bytes);
    void in_line(std::size_t commands);
    void max_rows_per_s(std::uint32_t rows);
    void ready(bool ready);

    /// Prometheus text format, version 0.0.4.
    std::string text() const;

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace penstock::http
