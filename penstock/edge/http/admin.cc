#include "penstock/edge/http/context.h"
#include "penstock/edge/http/json_in.h"

namespace penstock::http {
namespace {

constexpr std::string_view kMetricsText = "text/plain; version=0.0.4; charset=utf-8";

/// A log that hangs keeps nobody from the rest: its figures are those of the last look then.
constexpr std::chrono::seconds kLookAtLog{2};

void look_at_log(Context& context) {
    Metrics& metrics = context.metrics();
    for (const PartitionProgress& p : context.node().progress()) {
        metrics.lag(p.at, p.end > p.next ? p.end.value() - p.next.value() : 0);
    }
    const auto topics = context.log().describe(std::nullopt);
    if (!topics) return;
    for (const TopicInfo& topic : *topics) {
        std::uint64_t bytes = 0;
        for (const PartitionInfo& partition : topic.partitions) bytes += partition.bytes;
        metrics.log_bytes(topic.spec.topic.value(), bytes);
    }
}

void metrics(Context& context, const ExchangePtr& exchange, const Request&) {
    context.metrics().max_rows_per_s(context.node().max_rows_per_s());
    context.metrics().in_line(context.node().requester().count_in_line());
    context.look_ready();
    const auto answer = [&context, weak = std::weak_ptr<Exchange>(exchange)] {
        if (const auto exchange = weak.lock()) {
            exchange->respond({200, kMetricsText, context.metrics().text(), ""});
        }
    };
    exchange->at_deadline(context.loop().now() + kLookAtLog, answer);
    if (!context.look_at_log([&context] { look_at_log(context); }, answer)) answer();
}

void health(Context& context, const ExchangePtr& exchange, const Request&) {
    exchange->respond({200, kJson,
                       "{\"status\":\"alive\",\"version\":" + json_string(context.version()) + "}",
                       ""});
}

void readiness(Context& context, const ExchangePtr& exchange, const Request&) {
    const Readiness readiness = context.look_ready();
    if (readiness.ready) return exchange->respond({200, kJson, "{\"status\":\"ready\"}", ""});
    Problem problem = not_ready(readiness.waits_for);
    problem.members = ",\"waits_for\":" + json_string(readiness.waits_for);
    exchange->fail(problem);
}

void description(Context&, const ExchangePtr& exchange, const Request&) {
    exchange->respond({200, kJson, std::string(openapi_json()), ""});
}

std::string runtime_json(Context& context) {
    std::string out = "{\"version\":" + json_string(context.version()) +
                      ",\"max_rows_per_s\":" + std::to_string(context.node().max_rows_per_s()) +
                      ",\"partitions\":[";
    bool first = true;
    for (const PartitionProgress& p : context.node().progress()) {
        if (!first) out += ',';
        first = false;
        out += "{\"topic\":" + json_string(p.at.topic.value()) +
               ",\"partition\":" + std::to_string(p.at.partition.value()) +
               ",\"owned\":" + (p.owned ? "true" : "false") +
               ",\"epoch\":" + std::to_string(p.epoch.value()) +
               ",\"next_offset\":" + std::to_string(p.next.value()) +
               ",\"end_offset\":" + std::to_string(p.end.value()) +
               ",\"rows_per_s\":" + std::to_string(static_cast<std::uint64_t>(p.rows_per_s)) + "}";
    }
    return out + "]}";
}

/// The log is asked for its ends, and may be far away.
void answer_runtime(Context& context, const ExchangePtr& exchange) {
    context.block(exchange, [&context, exchange]() -> std::function<void()> {
        return [exchange, text = runtime_json(context)] {
            exchange->respond({200, kJson, text, ""});
        };
    });
}

void runtime(Context& context, const ExchangePtr& exchange, const Request&) {
    answer_runtime(context, exchange);
}

void change_runtime(Context& context, const ExchangePtr& exchange, const Request& request) {
    auto json = parse_json(request.body, context.limits().json_depth);
    if (!json) return exchange->fail(problem_of(json.error()));
    Members members(*json);
    members.need("max_rows_per_s");
    const auto rows = members.integer("max_rows_per_s", 0, 1'000'000'000);
    if (const auto fine = members.done(); !fine) return exchange->fail(problem_of(fine.error()));
    context.node().set_max_rows_per_s(static_cast<std::uint32_t>(*rows));
    answer_runtime(context, exchange);
}

}  // namespace

void add_admin_routes(Context& context, Router& router) {
    const auto add = [&](Method method, const char* path, std::size_t body, auto handler) {
        router.add(
            {method, path, body,
             [&context, handler](const ExchangePtr& exchange, const Request& request,
                                 const PathParameters&) { handler(context, exchange, request); }});
    };
    add(Method::get, "/metrics", 0, metrics);
    add(Method::get, "/healthz", 0, health);
    add(Method::get, "/readyz", 0, readiness);
    add(Method::get, "/openapi.json", 0, description);
    add(Method::get, "/v1/runtime", 0, runtime);
    add(Method::patch, "/v1/runtime", context.limits().body_bytes, change_runtime);
}

}  // namespace penstock::http
