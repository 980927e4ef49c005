#include <atomic>
#include <memory>

#include "penstock/edge/http/context.h"
#include "penstock/edge/http/record_json.h"
#include "penstock/edge/http/record_stream.h"
#include "penstock/edge/http/target.h"
#include "penstock/log/partitioner.h"

namespace penstock::http {
namespace {

constexpr std::size_t kMaxRead = 1'000;

/// Records of one request on their way into the log. Owns itself until every one is answered.
/// Threads: made and started on the disk thread, answered on the log's.
class Publishing final : public AppendSink {
public:
    Publishing(ExchangePtr exchange, std::shared_ptr<Inbox> inbox, bool lines,
               std::vector<Result<PublishedRecord>> records)
        : exchange_(std::move(exchange)),
          inbox_(std::move(inbox)),
          lines_(lines),
          records_(std::move(records)),
          open_(records_.size() + 1) {
        for (const auto& record : records_) {
            results_.push_back(record.ok() ? Result<Offset>(Offset()) : record.error());
        }
        partitions_.resize(records_.size());
    }

    static void start(std::unique_ptr<Publishing> publishing, Log& log, const TopicId& topic,
                      KeylessPartitioner& keyless) {
        auto* self = publishing.release();  // deleted by the last answer
        const auto topics = log.describe(topic);
        const std::uint32_t count = topics ? topics->front().spec.partitions : 0;
        for (std::size_t i = 0; i < self->records_.size(); ++i) {
            if (!self->results_[i]) {
                self->answered(1);
            } else if (!topics) {
                self->refuse(i, topics.error());
            } else {
                self->append(i, log, topic, count, keyless);
            }
        }
        self->answered(1);  // from here on the last answer may delete it
    }

    void appended(std::span<const Appended> appended) noexcept override {
        for (const Appended& one : appended) results_[one.tag] = one.offset;
        answered(appended.size());
    }

private:
    void append(std::size_t i, Log& log, const TopicId& topic, std::uint32_t count,
                KeylessPartitioner& keyless) {
        const PublishedRecord& record = *records_[i];
        PartitionId partition;
        if (record.partition) {
            partition = *record.partition;
        } else if (record.key) {
            partition = partition_of_key(as_bytes(*record.key), count);
        } else {
            partition = keyless.choose(record.bytes(), count);
        }
        if (partition.value() >= count) {
            return refuse(i, error(Code::invalid, "the topic has " + std::to_string(count) +
                                                      " partitions, counted from 0"));
        }
        partitions_[i] = partition;
        std::vector<Header> headers;
        const Record borrowed = record.record(headers);
        log.append({topic, partition}, std::span(&borrowed, 1), i, *this);
    }

    void refuse(std::size_t i, Error error) {
        results_[i] = std::move(error);
        answered(1);
    }

    void answered(std::size_t n) noexcept {
        if (open_.fetch_sub(n) != n) return;
        const auto inbox = inbox_;
        auto self = std::shared_ptr<Publishing>(this);
        inbox->post([self = std::move(self)] { self->respond(); });
    }

    std::string success(std::size_t i) const {
        return "{\"partition\":" + std::to_string(partitions_[i].value()) +
               ",\"offset\":" + std::to_string(results_[i]->value()) + "}";
    }

    void respond() {
        if (!lines_) {
            if (!results_[0]) return exchange_->fail(problem_of(results_[0].error()));
            return exchange_->respond({201, kJson, success(0), ""});
        }
        Response response{200, kNdjson, "", ""};
        for (std::size_t i = 0; i < results_.size(); ++i) {
            if (results_[i]) {
                append_line(response.body, {201, success(i)});
            } else {
                const Problem problem = problem_of(results_[i].error());
                append_line(response.body, {problem.status, problem_json(problem)});
            }
        }
        exchange_->respond(std::move(response));
    }

    const ExchangePtr exchange_;
    const std::shared_ptr<Inbox> inbox_;
    const bool lines_;
    const std::vector<Result<PublishedRecord>> records_;
    std::vector<Result<Offset>> results_;
    std::vector<PartitionId> partitions_;
    std::atomic<std::size_t> open_;  ///< answers to come, and the start's own
};

using Parsed = std::vector<Result<PublishedRecord>>;

/// Nothing: there are too many lines.
std::optional<Parsed> parse_lines(const HttpLimits& limits, std::string_view body) {
    Parsed records;
    while (!body.empty()) {
        std::string_view line = body.substr(0, body.find('\n'));
        body.remove_prefix(std::min(body.size(), line.size() + 1));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (records.size() == limits.batch_lines) return std::nullopt;
        records.push_back(parse_record(line, limits.json_depth));
    }
    return records;
}

void publish(Context& context, std::shared_ptr<KeylessPartitioner> keyless,
             const ExchangePtr& exchange, const Request& request, const std::string& topic) {
    const auto type = request.field("Content-Type").value_or("");
    const bool lines = type.starts_with(kNdjson);
    Parsed records;
    if (lines) {
        auto parsed = parse_lines(context.limits(), request.body);
        if (!parsed) {
            return exchange->fail(
                {413, "batch_too_large", "A batch has at most 1,000 lines; send several."});
        }
        records = std::move(*parsed);
        if (records.empty()) return exchange->fail(invalid("one record per line"));
    } else {
        records.push_back(parse_record(request.body, context.limits().json_depth));
        if (!records[0]) return exchange->fail(problem_of(records[0].error()));
    }
    auto publishing = std::make_shared<std::unique_ptr<Publishing>>(
        std::make_unique<Publishing>(exchange, context.loop().inbox(), lines, std::move(records)));
    const bool queued = context.loop().block([&context, keyless, publishing, topic] {
        Publishing::start(std::move(*publishing), context.log(), TopicId(topic), *keyless);
    });
    if (!queued) {
        exchange->fail({503, "overloaded", "Too many calls wait; try later.", Effect::none, 1});
    }
}

struct ReadRequest {
    TopicPartition at;
    std::optional<std::uint64_t> offset;
    std::optional<LogTime> from;
    bool end = false;
    ReadLimits limits;
};

Result<ReadRequest> parse_read(const Request& request, const std::string& topic) {
    const auto query = Query::parse(request.query);
    if (!query || query->stranger({"partition", "offset", "limit", "time"})) {
        return error(Code::invalid, "the query takes partition, offset, limit, time, each once");
    }
    ReadRequest read;
    const auto partition = number(query->get("partition"), 0);
    const auto limit = number(query->get("limit"), 100);
    const auto offset = query->get("offset");
    const bool word = offset && (*offset == "start" || *offset == "end");
    const auto at = word ? std::optional<std::uint64_t>(0) : number(offset, 0);
    if (!partition || *partition >= kMaxPartitions || !limit || *limit == 0 || *limit > kMaxRead ||
        !at || (offset && query->get("time"))) {
        return error(Code::invalid,
                     "partition and offset are numbers (or offset=start, end), limit is 1 to "
                     "1000, and time goes without offset");
    }
    read.at = {TopicId(topic), PartitionId(static_cast<std::uint32_t>(*partition))};
    read.limits.max_records = *limit;
    read.end = offset && *offset == "end";
    if (offset && !word) read.offset = *at;
    if (const auto time = query->get("time")) {
        read.from = parse_rfc3339(*time);
        if (!read.from) return error(Code::invalid, "time is like 2026-11-21T12:00:00Z");
    }
    return read;
}

/// Blocks on the disk.
Result<std::string> read_records(Log& log, const ReadRequest& read) {
    const auto topics = log.describe(read.at.topic);
    if (!topics) return topics.error();
    const auto& partitions = topics->front().partitions;
    if (read.at.partition.value() >= partitions.size()) {
        return error(Code::not_found, "the topic has " + std::to_string(partitions.size()) +
                                          " partitions, counted from 0");
    }
    const PartitionInfo& partition = partitions[read.at.partition.value()];
    Offset from = read.end ? partition.end : partition.start;
    if (read.offset) from = Offset(*read.offset);
    if (read.from) {
        auto found = log.offset_at(read.at, *read.from);
        if (!found) return std::move(found).error();
        from = *found;
    }
    auto batch = log.read(read.at, from, read.limits);
    if (!batch) return std::move(batch).error();
    std::string out = "{\"records\":[";
    Offset next = from;
    for (const Logged& record : (*batch)->records()) {
        if (out.back() == '}') out += ',';
        append_record(out, record, read.at.partition);
        next = Offset(record.offset.value() + 1);
    }
    out += "],\"next_offset\":" + std::to_string(next.value()) +
           ",\"start_offset\":" + std::to_string(partition.start.value()) +
           ",\"end_offset\":" + std::to_string(partition.end.value()) + "}";
    return out;
}

void read(Context& context, const ExchangePtr& exchange, const Request& request,
          const std::string& topic) {
    const auto read = parse_read(request, topic);
    if (!read) return exchange->fail(problem_of(read.error()));
    context.block(exchange, [&context, exchange, read = *read]() -> std::function<void()> {
        auto text = read_records(context.log(), read);
        if (!text) return [exchange, e = text.error()] { exchange->fail(problem_of(e)); };
        return [exchange, text = std::move(*text)] { exchange->respond({200, kJson, text, ""}); };
    });
}

}  // namespace

void add_record_routes(Context& context, Router& router) {
    auto keyless = std::make_shared<KeylessPartitioner>(
        Spread::batches, static_cast<std::uint32_t>(context.env().random.next()));
    router.add(
        {Method::post, "/v1/topics/{topic}/records", context.limits().batch_bytes,
         [&context, keyless](const ExchangePtr& e, const Request& r, const PathParameters& n) {
             publish(context, keyless, e, r, n[0]);
         }});
    router.add({Method::get, "/v1/topics/{topic}/records", 0,
                [&context](const ExchangePtr& e, const Request& r, const PathParameters& n) {
                    read(context, e, r, n[0]);
                }});
    router.add({Method::get, "/v1/topics/{topic}/stream", 0,
                [&context](const ExchangePtr& e, const Request& r, const PathParameters& n) {
                    follow_records(context, e, r, n[0]);
                }});
}

}  // namespace penstock::http
