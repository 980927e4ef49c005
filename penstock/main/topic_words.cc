#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <limits>

#include "penstock/base/env.h"
#include "penstock/base/url.h"
#include "penstock/edge/cli/client.h"
#include "penstock/edge/cli/exit_code.h"
#include "penstock/edge/cli/wire_format.h"
#include "penstock/edge/http/base64.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kFollowPause{100};

struct TopicFlags {
    std::string topic;
    std::optional<std::uint32_t> partitions;
    std::optional<std::string> retention_time, retention_bytes;
};

struct RecordFlags {
    std::string topic;
    std::string key_format = "string", value_format = "string";
    std::optional<std::string> key;
    std::optional<std::uint32_t> partition;
    bool parse_key = false;
    bool from_beginning = false;
    bool to_end = false;
    std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

Result<cli::HttpClient> connect(const CommonFlags& flags) {
    auto url = cli::parse_server_url(flags.server);
    if (!url) return std::move(url).error();
    return cli::HttpClient(std::move(*url));
}

std::string path_of(const std::string& topic) {
    return "/v1/topics/" + percent_encode(topic);
}

/// The answer's JSON; what the server refused is an error with its detail.
Result<json::value> call(cli::HttpClient& client, const std::string& method,
                         const std::string& target, const std::string& body = "") {
    auto answer = client.call(method, target, body);
    if (!answer) return std::move(answer).error();
    boost::system::error_code failure;
    json::value parsed = answer->body.empty() ? json::value() : json::parse(answer->body, failure);
    if (answer->status < 300 && !failure) return parsed;
    const auto* problem = failure ? nullptr : parsed.if_object();
    const auto* detail = problem == nullptr ? nullptr : problem->if_contains("detail");
    return error(answer->status >= 500 ? Code::unreachable : Code::invalid,
                 detail == nullptr ? fmt::format("the server answered {}", answer->status)
                                   : std::string(detail->as_string()));
}

int tell(const Result<json::value>& answer) {
    if (!answer) return fail(answer.error());
    if (!answer->is_null()) fmt::print("{}\n", json::serialize(*answer));
    return cli::kExitDone;
}

Result<json::object> settings_body(const TopicFlags& given) {
    json::object body;
    if (given.partitions) body["partitions"] = *given.partitions;
    if (given.retention_time) {
        const auto time = cli::parse_duration(*given.retention_time);
        if (!time) return error(Code::invalid, "--retention-time must be such as 12h or 7d");
        body["retention_ms"] = time->count();
    }
    if (given.retention_bytes) {
        const auto bytes = cli::parse_bytes(*given.retention_bytes);
        if (!bytes) return error(Code::invalid, "--retention-bytes must be such as 512MiB");
        body["retention_bytes"] = *bytes;
    }
    return body;
}

int change_topic(const CommonFlags& flags, const TopicFlags& given, bool create) {
    auto client = connect(flags);
    if (!client) return fail(client.error());
    auto body = settings_body(given);
    if (!body) return fail(body.error());
    if (create) (*body)["topic"] = given.topic;
    return tell(call(*client, create ? "POST" : "PATCH",
                     create ? "/v1/topics" : path_of(given.topic), json::serialize(*body)));
}

int ask_topic(const CommonFlags& flags, const std::string& method, const std::string& target) {
    auto client = connect(flags);
    if (!client) return fail(client.error());
    return tell(call(*client, method, target));
}

/// Lines of standard input become records; KEY<TAB>VALUE with --parse-key.
int produce(const CommonFlags& flags, const RecordFlags& given) {
    auto client = connect(flags);
    if (!client) return fail(client.error());
    const auto key_format = *cli::parse_wire_format(given.key_format);
    const auto value_format = *cli::parse_wire_format(given.value_format);
    for (std::string line; std::getline(std::cin, line);) {
        std::optional<std::string> key = given.key;
        std::string_view value = line;
        if (const auto tab = line.find('\t'); given.parse_key && tab != std::string::npos) {
            key = line.substr(0, tab);
            value = std::string_view(line).substr(tab + 1);
        }
        json::object record;
        if (key) {
            auto bytes = cli::encode_wire(key_format, *key);
            if (!bytes) return fail(bytes.error());
            record["key_base64"] = http::to_base64(*bytes);
        }
        auto bytes = cli::encode_wire(value_format, value);
        if (!bytes) return fail(bytes.error());
        record["value_base64"] = http::to_base64(*bytes);
        if (given.partition) record["partition"] = *given.partition;
        const auto answer =
            call(*client, "POST", path_of(given.topic) + "/records", json::serialize(record));
        if (const int code = tell(answer); code != cli::kExitDone) return code;
    }
    return cli::kExitDone;
}

std::string field_text(const json::object& record, std::string_view name, cli::WireFormat format) {
    if (const json::value* text = record.if_contains(name); text && text->is_string()) {
        return cli::decode_wire(format, std::string_view(text->as_string()));
    }
    const json::value* encoded = record.if_contains(std::string(name) + "_base64");
    if (encoded == nullptr) {
        const json::value* other = record.if_contains(name);
        return other == nullptr || other->is_null() ? "null" : json::serialize(*other);
    }
    const auto bytes = http::from_base64(std::string_view(encoded->as_string()));
    return bytes ? cli::decode_wire(format, *bytes) : std::string(encoded->as_string());
}

void print_record(const json::object& record, const RecordFlags& given, bool as_json) {
    if (as_json) {
        fmt::print("{}\n", json::serialize(record));
        return;
    }
    fmt::print("{}\t{}\n", field_text(record, "key", *cli::parse_wire_format(given.key_format)),
               field_text(record, "value", *cli::parse_wire_format(given.value_format)));
}

struct Cursor {
    std::uint32_t partition;
    std::string offset;
};

/// Prints what stands in the partition from the cursor on; returns how many records.
Result<std::uint64_t> drain(cli::HttpClient& client, const RecordFlags& given, bool as_json,
                            Cursor& cursor, std::uint64_t wanted) {
    const auto answer =
        call(client, "GET",
             fmt::format("{}/records?partition={}&offset={}&limit={}", path_of(given.topic),
                         cursor.partition, cursor.offset, std::min<std::uint64_t>(wanted, 1000)));
    if (!answer) return answer.error();
    const json::object& page = answer->as_object();
    const json::array& records = page.at("records").as_array();
    for (const json::value& record : records) print_record(record.as_object(), given, as_json);
    cursor.offset = std::to_string(page.at("next_offset").to_number<std::uint64_t>());
    return records.size();
}

int consume(const CommonFlags& flags, const RecordFlags& given) {
    auto client = connect(flags);
    if (!client) return fail(client.error());
    const auto topic = call(*client, "GET", path_of(given.topic));
    if (!topic) return fail(topic.error());
    std::vector<Cursor> cursors;
    const json::array& partitions = topic->at("partitions").as_array();
    for (std::uint32_t i = 0; i < partitions.size(); ++i) {
        if (given.partition && *given.partition != i) continue;
        cursors.push_back({i, given.from_beginning ? "start" : "end"});
    }
    const auto pause = system_env().executor.make_wake();
    for (std::uint64_t left = given.max; left > 0;) {
        std::uint64_t printed = 0;
        for (Cursor& cursor : cursors) {
            const auto count = drain(*client, given, flags.json, cursor, left - printed);
            if (!count) return fail(count.error());
            printed += *count;
            if (printed >= left) break;
        }
        left -= std::min(left, printed);
        std::fflush(stdout);
        if (printed != 0) continue;
        if (given.to_end) break;
        pause->wait_until(system_env().clock.mono() + kFollowPause);
    }
    return cli::kExitDone;
}

void add_record_options(CLI::App& word, RecordFlags& given) {
    const auto formats = CLI::IsMember({"string", "long", "json", "hex"});
    word.add_option("topic", given.topic, "topic")->required();
    word.add_option("--key-format", given.key_format, "string, long, json or hex")->check(formats);
    word.add_option("--value-format", given.value_format, "string, long, json or hex")
        ->check(formats);
    word.add_option("--partition", given.partition, "only this partition");
}

}  // namespace

void add_topic_words(CLI::App& app, CommonFlags& flags, Run& run) {
    auto given = std::make_shared<TopicFlags>();
    CLI::App* word = app.add_subcommand("topic", "topics of a running node");
    word->require_subcommand(1);
    word->add_subcommand("list", "all topics")->callback([&flags, &run] {
        run = [&flags] { return ask_topic(flags, "GET", "/v1/topics"); };
    });
    const auto add = [&](const char* name, const char* text) {
        CLI::App* sub = word->add_subcommand(name, text);
        sub->add_option("topic", given->topic, "topic")->required();
        return sub;
    };
    const auto add_settings = [&](CLI::App* sub) {
        sub->add_option("--partitions", given->partitions, "number of partitions; only grows");
        sub->add_option("--retention-time", given->retention_time, "such as 7d");
        sub->add_option("--retention-bytes", given->retention_bytes, "per partition, such as 1GiB");
    };
    add("describe", "one topic")->callback([&flags, &run, given] {
        run = [&flags, given] { return ask_topic(flags, "GET", path_of(given->topic)); };
    });
    add("delete", "delete a topic")->callback([&flags, &run, given] {
        run = [&flags, given] { return ask_topic(flags, "DELETE", path_of(given->topic)); };
    });
    for (const bool create : {true, false}) {
        CLI::App* sub = create ? add("create", "create a topic") : add("alter", "change a topic");
        add_settings(sub);
        sub->callback([&flags, &run, given, create] {
            run = [&flags, given, create] { return change_topic(flags, *given, create); };
        });
    }
    auto records = std::make_shared<RecordFlags>();
    CLI::App* in = app.add_subcommand("produce", "publish the lines of standard input");
    add_record_options(*in, *records);
    in->add_option("--key", records->key, "key of every record");
    in->add_flag("--parse-key", records->parse_key, "lines are KEY<TAB>VALUE");
    in->callback(
        [&flags, &run, records] { run = [&flags, records] { return produce(flags, *records); }; });
    CLI::App* out = app.add_subcommand("consume", "print records as KEY<TAB>VALUE, and follow");
    add_record_options(*out, *records);
    out->add_flag("--from-beginning", records->from_beginning, "from the start of the topic");
    out->add_flag("--to-end", records->to_end, "end when there is nothing more");
    out->add_option("--max", records->max, "end after so many records");
    out->callback(
        [&flags, &run, records] { run = [&flags, records] { return consume(flags, *records); }; });
}

}  // namespace penstock
