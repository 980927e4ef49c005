#include "penstock/edge/http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <vector>

namespace penstock::http {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                           0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                           1,      2.5,     5,      10,    30};
const Histogram::BucketBoundaries kCounts{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

constexpr std::size_t kAdmissions = static_cast<std::size_t>(Admission::no_resource) + 1;

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

struct Metrics::Families {
    struct PerRoute {
        Histogram* took = nullptr;
        std::vector<std::pair<int, Counter*>> by_status;
    };

    prometheus::Family<Counter>& counter(const char* name, const char* help) {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    }
    prometheus::Family<Gauge>& gauge(const char* name, const char* help) {
        return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    }
    Histogram& histogram(const char* name, const char* help,
                         const Histogram::BucketBoundaries& buckets) {
        return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({},
                                                                                         buckets);
    }

    prometheus::Registry registry;
    prometheus::Family<Counter>& requests =
        counter("penstock_http_requests_total", "Answered HTTP requests.");
    prometheus::Family<Histogram>& request_seconds =
        prometheus::BuildHistogram()
            .Name("penstock_http_request_seconds")
            .Help("From a whole request to its answer.")
            .Register(registry);
    Gauge& connections = gauge("penstock_http_connections", "Open client connections.").Add({});
    Gauge& streams = gauge("penstock_http_streams", "Lists and event streams being sent.").Add({});
    prometheus::Family<Counter>& admissions =
        counter("penstock_gate_answers_total", "Answers of the gate, by kind.");
    prometheus::Family<Counter>& commands =
        counter("penstock_commands_total", "Commands decided by the lane, by outcome.");
    Histogram& batch_commands =
        histogram("penstock_batch_commands", "Commands in one store transaction.", kCounts);
    Histogram& store_seconds =
        histogram("penstock_store_transaction_seconds", "Time of one store transaction.", kSeconds);
    Gauge& in_line =
        gauge("penstock_commands_in_line", "Commands that came in here and are not decided yet.")
            .Add({});
    prometheus::Family<Gauge>& lag =
        gauge("penstock_lag_records", "Durable records that are not applied yet.");
    Histogram& sync_seconds =
        histogram("penstock_log_sync_seconds", "Time of one write and sync of the log.", kSeconds);
    Histogram& sync_records =
        histogram("penstock_log_sync_records", "Records made durable by one sync.", kCounts);
    Counter& sync_bytes =
        counter("penstock_log_written_bytes_total", "Bytes made durable in the log.").Add({});
    prometheus::Family<Gauge>& log_bytes =
        gauge("penstock_log_bytes", "Disk use of a topic's log.");
    Gauge& disk_free =
        gauge("penstock_disk_free_bytes", "Free space where the data directory lies.").Add({});
    Gauge& max_rows =
        gauge("penstock_max_rows_per_second", "Limit of decided commands; 0: none.").Add({});
    Gauge& ready = gauge("penstock_ready", "1 if the node takes commands.").Add({});

    std::vector<PerRoute> routes;
    std::array<Counter*, kAdmissions> by_admission{};
    Counter& done = commands.Add({{"outcome", "done"}});
    Counter& refused = commands.Add({{"outcome", "refused"}});
    Counter& duplicate = commands.Add({{"outcome", "duplicate"}});
    Counter& dead = commands.Add({{"outcome", "dead"}});
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {
    for (std::size_t i = 0; i < kAdmissions; ++i) {
        families_->by_admission[i] =
            &families_->admissions.Add({{"answer", to_string(static_cast<Admission>(i))}});
    }
}

Metrics::~Metrics() = default;

void Metrics::request(const Route* route, int status, std::chrono::nanoseconds took) {
    const std::size_t index = route ? route->index + 1 : 0;
    auto& routes = families_->routes;
    if (routes.size() <= index) routes.resize(index + 1);
    Families::PerRoute& here = routes[index];
    if (!here.took) {
        here.took =
            &families_->request_seconds.Add({{"route", route ? route->path : "none"},
                                             {"method", route ? to_string(route->method) : ""}},
                                            kSeconds);
    }
    here.took->Observe(seconds(took));
    for (const auto& [known, counter] : here.by_status) {
        if (known == status) return counter->Increment();
    }
    Counter& counter = families_->requests.Add({{"route", route ? route->path : "none"},
                                                {"method", route ? to_string(route->method) : ""},
                                                {"status", std::to_string(status)}});
    here.by_status.emplace_back(status, &counter);
    counter.Increment();
}

void Metrics::connections(std::size_t open) {
    families_->connections.Set(static_cast<double>(open));
}

void Metrics::streams(std::size_t open) {
    families_->streams.Set(static_cast<double>(open));
}

void Metrics::batch(const Batch& batch) noexcept {
    Families& f = *families_;
    f.batch_commands.Observe(static_cast<double>(batch.commands));
    f.store_seconds.Observe(seconds(batch.store_time));
    f.done.Increment(static_cast<double>(batch.done));
    f.refused.Increment(static_cast<double>(batch.refused));
    f.duplicate.Increment(static_cast<double>(batch.duplicates));
    f.dead.Increment(static_cast<double>(batch.dead));
}

void Metrics::admission(Admission admission, std::size_t count) noexcept {
    families_->by_admission[static_cast<std::size_t>(admission)]->Increment(
        static_cast<double>(count));
}

void Metrics::log_synced(std::size_t records, std::size_t bytes,
                         std::chrono::nanoseconds took) noexcept {
    families_->sync_seconds.Observe(seconds(took));
    families_->sync_records.Observe(static_cast<double>(records));
    families_->sync_bytes.Increment(static_cast<double>(bytes));
}

void Metrics::lag(const TopicPartition& at, std::uint64_t records) {
    families_->lag
        .Add({{"topic", at.topic.value()}, {"partition", std::to_string(at.partition.value())}})
        .Set(static_cast<double>(records));
}

void Metrics::log_bytes(std::string_view topic, std::uint64_t bytes) {
    families_->log_bytes.Add({{"topic", std::string(topic)}}).Set(static_cast<double>(bytes));
}

void Metrics::disk_free(std::uint64_t bytes) noexcept {
    families_->disk_free.Set(static_cast<double>(bytes));
}

void Metrics::in_line(std::size_t commands) {
    families_->in_line.Set(static_cast<double>(commands));
}

void Metrics::max_rows_per_s(std::uint32_t rows) {
    families_->max_rows.Set(rows);
}

void Metrics::ready(bool ready) {
    families_->ready.Set(ready ? 1 : 0);
}

std::string Metrics::text() const {
    return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace penstock::http
