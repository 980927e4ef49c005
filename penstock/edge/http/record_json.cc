#include "penstock/edge/http/record_json.h"

#include <algorithm>

#include "penstock/edge/http/base64.h"
#include "penstock/edge/http/json_in.h"
#include "penstock/edge/http/json_text.h"
#include "penstock/edge/http/response.h"
#include "penstock/edge/http/utf8.h"

namespace penstock::http {
namespace {

namespace json = boost::json;

/// `name` or `name_base64`.
std::optional<std::string> bytes_member(Members& members, const std::string& name,
                                        std::size_t max_bytes) {
    const std::string encoded_name = name + "_base64";
    if (!members.has(encoded_name)) return members.text(name, max_bytes);
    if (members.has(name)) members.complain("give '" + name + "' once");
    const auto encoded = members.text(encoded_name, max_bytes * 2);
    if (!encoded) return std::nullopt;
    auto bytes = from_base64(*encoded);
    if (!bytes) members.complain("'" + encoded_name + "' is not base64");
    return bytes;
}

/// `text`: the record, of which a value that is no string is published as it stands there.
std::optional<std::string> value_member(Members& members, std::string_view text,
                                        std::size_t depth) {
    if (members.has("value_base64") || !members.has("value")) {
        return bytes_member(members, "value", kMaxValueBytes);
    }
    const json::value* value = members.any("value");
    if (value->is_null()) return std::nullopt;
    if (const json::string* string = value->if_string()) {
        return std::string(string->data(), string->size());
    }
    auto texts = split_object(text, depth, MemberOrder::as_given);
    if (!texts) return members.complain(texts.error().text), std::nullopt;
    const auto at = std::find_if(texts->begin(), texts->end(),
                                 [](const auto& member) { return member.first == "value"; });
    return std::move(at->second);
}

void read_headers(Members& members, PublishedRecord& record) {
    const json::value* headers = members.any("headers");
    if (!headers) return;
    if (const auto* object = headers->if_object()) {
        for (const auto& header : *object) {
            const json::string* text = header.value().if_string();
            if (!text) return members.complain("'headers' has strings as values");
            record.headers.emplace_back(std::string(header.key().data(), header.key().size()),
                                        std::string(text->data(), text->size()));
        }
    } else if (const auto* array = headers->if_array()) {
        for (const auto& element : *array) {
            Members header(element);
            header.need("name");
            auto name = header.text("name", kMaxHeaderBytes);
            auto value = bytes_member(header, "value", kMaxHeaderBytes);
            if (const auto fine = header.done(); !fine) {
                return members.complain("in 'headers': " + fine.error().text);
            }
            record.headers.emplace_back(std::move(*name), value.value_or(""));
        }
    } else {
        members.complain("'headers' is an object of strings, or an array of {name, value}");
    }
}

void append_bytes(std::string& out, const char* name, std::string_view bytes) {
    out += ",\"";
    out += name;
    if (is_utf8(bytes)) {
        out += "\":";
        append_json_string(out, bytes);
    } else {
        out += "_base64\":\"" + to_base64(bytes) + '"';
    }
}

}  // namespace

std::size_t PublishedRecord::bytes() const {
    std::size_t n = (key ? key->size() : 0) + (value ? value->size() : 0);
    for (const auto& [name, text] : headers) n += name.size() + text.size();
    return n;
}

Record PublishedRecord::record(std::vector<Header>& borrowed) const {
    borrowed.clear();
    for (const auto& [name, text] : headers) borrowed.push_back({name, as_bytes(text)});
    Record out;
    if (key) out.key = as_bytes(*key);
    if (value) out.value = as_bytes(*value);
    out.headers = borrowed;
    return out;
}

Result<PublishedRecord> parse_record(std::string_view text, std::size_t depth) {
    auto parsed = parse_json(text, depth);
    if (!parsed) return std::move(parsed).error();
    Members members(*parsed);
    PublishedRecord record;
    record.key = bytes_member(members, "key", kMaxKeyBytes);
    record.value = value_member(members, text, depth);
    read_headers(members, record);
    if (!members.has("value") && !members.has("value_base64")) members.need("value");
    if (const auto partition = members.integer("partition", 0, kMaxPartitions - 1)) {
        record.partition = PartitionId(static_cast<std::uint32_t>(*partition));
    }
    PENSTOCK_TRY(members.done());
    std::vector<Header> borrowed;
    PENSTOCK_TRY(check_record(record.record(borrowed)));
    return record;
}

void append_record(std::string& out, const Logged& record, PartitionId partition) {
    out += "{\"partition\":" + std::to_string(partition.value()) +
           ",\"offset\":" + std::to_string(record.offset.value()) + ",\"time\":\"" +
           format_rfc3339(record.time) + '"';
    if (record.key) append_bytes(out, "key", as_text(*record.key));
    if (record.value) {
        append_bytes(out, "value", as_text(*record.value));
    } else {
        out += ",\"value\":null";
    }
    if (!record.headers.empty()) {
        out += ",\"headers\":[";
        for (const Header& header : record.headers) {
            if (&header != &record.headers.front()) out += ',';
            out += "{\"name\":";
            append_json_string(out, header.name);
            append_bytes(out, "value", as_text(header.value));
            out += '}';
        }
        out += ']';
    }
    out += '}';
}

}  // namespace penstock::http
