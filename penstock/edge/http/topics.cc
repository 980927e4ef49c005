#include <fmt/format.h>

#include "penstock/edge/http/context.h"
#include "penstock/edge/http/json_in.h"

namespace penstock::http {
namespace {

using Retention = std::optional<std::uint64_t>;

/// Of a topic that the node's own commands lie on, `layout` says which partitions count.
void append_topic(std::string& out, const TopicInfo& topic, const std::optional<Layout>& layout) {
    out += "{\"topic\":" + json_string(topic.spec.topic.value()) + ",\"retention_ms\":";
    out += topic.spec.retention_time ? std::to_string(topic.spec.retention_time->count()) : "null";
    out += ",\"retention_bytes\":";
    out += topic.spec.retention_bytes ? std::to_string(*topic.spec.retention_bytes) : "null";
    if (layout) {
        out += ",\"layout\":{\"generation\":" + std::to_string(layout->generation.value()) +
               ",\"partitions\":" + std::to_string(layout->partitions) + "}";
    }
    out += ",\"partitions\":[";
    for (const PartitionInfo& partition : topic.partitions) {
        if (&partition != &topic.partitions.front()) out += ',';
        out += "{\"partition\":" + std::to_string(partition.partition.value()) +
               ",\"start_offset\":" + std::to_string(partition.start.value()) +
               ",\"end_offset\":" + std::to_string(partition.end.value()) +
               ",\"bytes\":" + std::to_string(partition.bytes);
        if (layout && partition.partition.value() >= layout->partitions) {
            out += ",\"unused\":\"added by another tool; nothing in it is run\"";
        }
        if (partition.stopped) out += ",\"stopped\":" + json_string(partition.stopped->text);
        out += '}';
    }
    out += "]}";
}

/// `only` empty: all of them.
void show(Context& context, const ExchangePtr& exchange, const std::string& only,
          int status = 200) {
    context.block(exchange, [&context, exchange, only, status]() -> std::function<void()> {
        auto topics =
            context.log().describe(only.empty() ? std::nullopt : std::optional(TopicId(only)));
        if (!topics) return [exchange, e = topics.error()] { exchange->fail(problem_of(e)); };
        std::string out = only.empty() ? "{\"topics\":[" : "";
        for (const TopicInfo& topic : *topics) {
            if (&topic != &topics->front()) out += ',';
            append_topic(out, topic, context.node().layout_of(topic.spec.topic.value()));
        }
        if (only.empty()) out += "]}";
        return [exchange, status, out = std::move(out)] {
            exchange->respond({status, kJson, out, ""});
        };
    });
}

/// Reads `retention_ms` and `retention_bytes`, of which null means no limit.
void read_retention(Members& members, TopicSpec& spec) {
    const auto read = [&](const char* name) -> std::optional<Retention> {
        const boost::json::value* value = members.any(name);
        if (!value) return std::nullopt;
        if (value->is_null()) return Retention();
        if (value->is_int64() && value->get_int64() > 0) {
            return Retention(static_cast<std::uint64_t>(value->get_int64()));
        }
        members.complain(fmt::format("'{}' is a positive integer, or null for no limit", name));
        return std::nullopt;
    };
    if (const auto ms = read("retention_ms")) {
        spec.retention_time.reset();
        if (*ms) spec.retention_time = std::chrono::milliseconds(**ms);
    }
    if (const auto bytes = read("retention_bytes")) spec.retention_bytes = *bytes;
}

void create(Context& context, const ExchangePtr& exchange, const Request& request) {
    auto json = parse_json(request.body, context.limits().json_depth);
    if (!json) return exchange->fail(problem_of(json.error()));
    Members members(*json);
    TopicSpec spec;
    members.need("topic");
    spec.topic = TopicId(members.text("topic", 249).value_or(""));
    spec.partitions =
        static_cast<std::uint32_t>(members.integer("partitions", 1, kMaxPartitions).value_or(1));
    read_retention(members, spec);
    if (const auto fine = members.done(); !fine) return exchange->fail(problem_of(fine.error()));
    if (const auto fine = check_topic_name(spec.topic.value()); !fine) {
        return exchange->fail(problem_of(fine.error()));
    }
    context.block(exchange, [&context, exchange, spec]() -> std::function<void()> {
        const auto made = context.log().create(spec);
        if (!made) return [exchange, e = made.error()] { exchange->fail(problem_of(e)); };
        return [&context, exchange, spec] {
            if (!exchange->over()) show(context, exchange, spec.topic.value(), 201);
        };
    });
}

void alter(Context& context, const ExchangePtr& exchange, const Request& request,
           const std::string& topic) {
    auto json = parse_json(request.body, context.limits().json_depth);
    if (!json) return exchange->fail(problem_of(json.error()));
    Members members(*json);
    TopicSpec wanted;
    const auto partitions = members.integer("partitions", 1, kMaxPartitions);
    const bool time = members.has("retention_ms"), bytes = members.has("retention_bytes");
    read_retention(members, wanted);
    if (const auto fine = members.done(); !fine) return exchange->fail(problem_of(fine.error()));
    if (partitions && context.node().layout_of(topic)) {
        return exchange->fail({409, "topic_in_use",
                               "This node's handlers own the topic; its partitions cannot be "
                               "changed while they do."});
    }
    context.block(exchange, [=, &context]() -> std::function<void()> {
        const auto topics = context.log().describe(TopicId(topic));
        if (!topics) return [exchange, e = topics.error()] { exchange->fail(problem_of(e)); };
        TopicSpec spec = topics->front().spec;
        if (partitions) spec.partitions = static_cast<std::uint32_t>(*partitions);
        if (time) spec.retention_time = wanted.retention_time;
        if (bytes) spec.retention_bytes = wanted.retention_bytes;
        const auto done = context.log().alter(spec);
        if (!done) return [exchange, e = done.error()] { exchange->fail(problem_of(e)); };
        return [&context, exchange, topic] {
            if (!exchange->over()) show(context, exchange, topic);
        };
    });
}

void remove(Context& context, const ExchangePtr& exchange, const std::string& topic) {
    if (context.node().layout_of(topic)) {
        return exchange->fail({409, "topic_in_use",
                               "This node's handlers own the topic; it cannot be deleted while "
                               "they do."});
    }
    context.block(exchange, [&context, exchange, topic]() -> std::function<void()> {
        const auto done = context.log().remove(TopicId(topic));
        if (!done) return [exchange, e = done.error()] { exchange->fail(problem_of(e)); };
        return [exchange] { exchange->respond({204, "", "", ""}); };
    });
}

}  // namespace

void add_topic_routes(Context& context, Router& router) {
    const std::size_t body = context.limits().body_bytes;
    const auto add = [&](Method method, const char* path, std::size_t bytes, auto handler) {
        router.add({method, path, bytes,
                    [&context, handler](const ExchangePtr& exchange, const Request& request,
                                        const PathParameters& names) {
                        handler(context, exchange, request, names);
                    }});
    };
    using Names = PathParameters;
    add(Method::get, "/v1/topics", 0,
        [](Context& c, const ExchangePtr& e, const Request&, const Names&) { show(c, e, ""); });
    add(Method::post, "/v1/topics", body,
        [](Context& c, const ExchangePtr& e, const Request& r, const Names&) { create(c, e, r); });
    add(Method::get, "/v1/topics/{topic}", 0,
        [](Context& c, const ExchangePtr& e, const Request&, const Names& n) { show(c, e, n[0]); });
    add(Method::patch, "/v1/topics/{topic}", body,
        [](Context& c, const ExchangePtr& e, const Request& r, const Names& n) {
            alter(c, e, r, n[0]);
        });
    add(Method::del, "/v1/topics/{topic}", 0,
        [](Context& c, const ExchangePtr& e, const Request&, const Names& n) {
            remove(c, e, n[0]);
        });
}

}  // namespace penstock::http
