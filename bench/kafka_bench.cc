// Figures of the log on Kafka, one JSON line each: append and read of 100-byte commands through the
// port beside a bare librdkafka program on the same broker in the same run.
// Usage: kafka_bench [--brokers HOST:PORT] [--runs N] [--small]; medians over the runs. Without
// --brokers it starts a broker of its own.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/bare_kafka.h"
#include "bench/flight_sink.h"
#include "bench/measure.h"
#include "penstock/base/env.h"
#include "penstock/log/kafka/kafka_log.h"
#include "test/kit/engines.h"

namespace penstock {
namespace {

using bench::median;
using bench::require;
using bench::seconds_since;

struct Sizes {
    std::size_t records = 1'000'000;
    std::size_t in_flight = 16'000;
    std::size_t lone = 2'000;
};

constexpr std::size_t kPerCall = 100;

/// The same commands for both, as records of the port.
class Commands {
public:
    Commands() : all_(bench::make_commands()) {
        for (const bench::Command& command : all_) {
            std::vector<Header>& headers = headers_.emplace_back();
            for (const auto& [name, value] : command.headers) {
                headers.push_back({name, as_bytes(value)});
            }
        }
        for (std::size_t i = 0; i < all_.size(); ++i) {
            Record& record = records_.emplace_back();
            record.key = as_bytes(all_[i].key);
            record.value = as_bytes(all_[i].value);
            record.headers = headers_[i];
        }
    }
    const std::vector<bench::Command>& bare() const { return all_; }
    std::span<const Record> call(std::size_t sent) const {
        return std::span(records_).subspan(sent % (records_.size() - kPerCall), kPerCall);
    }

private:
    const std::vector<bench::Command> all_;
    std::vector<std::vector<Header>> headers_;
    std::vector<Record> records_;
};

class Bench {
public:
    Bench(std::string brokers, const Sizes& sizes) : brokers_(std::move(brokers)), sizes_(sizes) {
        KafkaLogOptions options;
        options.brokers = brokers_;
        options.accept_data_loss = true;
        log_ = require(KafkaLog::open(system_env(), options));
    }

    /// Who goes first changes from run to run.
    void run(std::size_t number, bool counts) {
        Taken port;
        Taken bare;
        if (number % 2 == 0) {
            bare = through_librdkafka();
            port = through_the_port();
        } else {
            port = through_the_port();
            bare = through_librdkafka();
        }
        if (!counts) return;
        const auto records = static_cast<double>(sizes_.records);
        figures_["append_per_s"].push_back(records / port.append_s);
        figures_["append_bare_per_s"].push_back(records / bare.append_s);
        figures_["append_of_bare"].push_back(bare.append_s / port.append_s);
        figures_["read_per_s"].push_back(records / port.read_s);
        figures_["read_bare_per_s"].push_back(records / bare.read_s);
        figures_["read_of_bare"].push_back(bare.read_s / port.read_s);
        figures_["append_and_read_of_bare"].push_back((bare.append_s + bare.read_s) /
                                                      (port.append_s + port.read_s));
        figures_["lone_round_trip_p50_us"].push_back(port.lone_us);
        figures_["lone_round_trip_bare_p50_us"].push_back(bare.lone_us);
    }

    void print() const {
        for (const auto& [name, runs] : figures_) bench::print_figure("kafka", name, runs);
    }

private:
    struct Taken {
        double append_s;
        double read_s;
        double lone_us;
    };

    TopicPartition fresh() {
        TopicSpec spec;
        spec.topic = TopicId(fmt::format("bench-{}", ++topics_));
        require(log_->create(spec));
        return {spec.topic, PartitionId(0)};
    }

    Taken through_the_port() {
        const TopicPartition at = fresh();
        Taken taken{};
        taken.append_s = append(at);
        {
            const auto subscription = require(log_->subscribe({"bench", {at}}));
            taken.read_s = read(at, *subscription);
            taken.lone_us = lone(at, *subscription);
        }
        require(log_->remove(at.topic));
        return taken;
    }

    double append(const TopicPartition& at) {
        bench::FlightSink sink;
        const MonoTime began = system_env().clock.mono();
        std::size_t sent = 0;
        while (sink.landed() < sizes_.records) {
            if (sent < sizes_.records && sent - sink.landed() < sizes_.in_flight) {
                log_->append(at, commands_.call(sent), sent, sink);
                sent += kPerCall;
            } else {
                sink.wait();
            }
        }
        return seconds_since(began);
    }

    double read(const TopicPartition& at, Subscription& subscription) {
        const MonoTime began = system_env().clock.mono();
        (void)require(subscription.poll({}, kNever));
        require(subscription.start(at, Offset(0)));
        std::size_t got = 0;
        while (got < sizes_.records) {
            const auto polled = require(subscription.poll({}, kNever));
            for (const Slice& slice : polled.slices) {
                for (const Logged& record : slice.records) {
                    if (record.headers.size() != commands_.bare()[0].headers.size()) std::abort();
                }
                got += slice.records.size();
            }
        }
        return seconds_since(began);
    }

    /// p50 from the append of one to its arrival, in microseconds.
    double lone(const TopicPartition& at, Subscription& subscription) {
        std::vector<double> us;
        bench::FlightSink sink;
        for (std::size_t i = 0; i < sizes_.lone; ++i) {
            const MonoTime began = system_env().clock.mono();
            log_->append(at, commands_.call(0).first(1), i, sink);
            while (require(subscription.poll({}, kNever)).slices.empty()) {
            }
            us.push_back(seconds_since(began) * 1e6);
        }
        while (sink.landed() < sizes_.lone) sink.wait();
        return median(us);
    }

    Taken through_librdkafka() {
        const TopicPartition at = fresh();
        const Taken taken = through_librdkafka(at);
        // Only now: a consumer whose topic vanished can hang at its end.
        require(log_->remove(at.topic));
        return taken;
    }

    Taken through_librdkafka(const TopicPartition& at) {
        bench::BareKafka bare(brokers_, at.topic.value());
        Taken taken{};
        taken.append_s = bare.append(commands_.bare(), sizes_.records, sizes_.in_flight);
        taken.read_s = bare.read(sizes_.records);
        taken.lone_us = bare.lone(commands_.bare()[0], sizes_.lone);
        return taken;
    }

    const std::string brokers_;
    const Sizes sizes_;
    const Commands commands_;
    std::unique_ptr<KafkaLog> log_;
    std::size_t topics_ = 0;
    std::map<std::string, std::vector<double>> figures_;
};

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
    std::string brokers;
    std::size_t runs = 5;
    penstock::Sizes sizes;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--small") {
            sizes = {20'000, 2'000, 50};
        } else if (word == "--brokers" && i + 1 < argc) {
            brokers = argv[++i];
        } else if (word == "--runs" && i + 1 < argc) {
            runs = static_cast<std::size_t>(std::max(1, std::atoi(argv[++i])));
        } else {
            fmt::print(stderr, "usage: kafka_bench [--brokers HOST:PORT] [--runs N] [--small]\n");
            return 2;
        }
    }
    std::optional<penstock::test::Engines> engines;
    if (brokers.empty()) brokers = engines.emplace().start("kafka", "kafka").url;
    penstock::Bench bench(brokers, sizes);
    bench.run(0, false);  // the broker's code is compiled meanwhile
    for (std::size_t i = 0; i < runs; ++i) bench.run(i, true);
    bench.print();
    return 0;
}
