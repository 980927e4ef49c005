#include "penstock/verify/entry.h"

#include <charconv>

namespace penstock::verify {
namespace {

template <class Integer>
bool is_whole(std::string_view text, Integer& value) {
    const char* const end = text.data() + text.size();
    const auto [at, failure] = std::from_chars(text.data(), end, value);
    return failure == std::errc() && at == end;
}

bool is_id(std::string_view text) {
    if (text.empty() || text.size() > 128) return false;
    for (const char c : text) {
        if (c < ' ' || c > '~') return false;
    }
    return true;
}

/// False: the header makes the whole record undecodable.
bool read_header(Entry& entry, std::string_view name, std::string_view value) {
    if (name == "id") {
        if (!is_id(value)) return false;
        entry.id_text = value;
        entry.id = uuid_of_id(value);
    }
    if (name == "type") {
        if (!is_id(value)) return false;  // the same characters, the same length
        entry.type = value;
    }
    if (name == "target") {
        if (value.size() > 256) return false;
        entry.target = value;
    }
    std::int64_t ms = 0;
    if (name == "requested_at" && !is_whole(value, ms)) return false;
    if (name == "deadline") {
        if (!is_whole(value, ms)) return false;
        entry.deadline = log_time(ms);
    }
    if (name == "gate_generation") {
        std::uint64_t generation = 0;
        if (!is_whole(value, generation)) return false;
        entry.gate_generation = generation;
    }
    return true;
}

/// Over each field in turn, as {length in 8 bytes, little-endian; bytes}.
Hash128 hash_of_body(const Entry& entry) {
    std::string all;
    for (const std::string_view field : {entry.type, entry.target, entry.key, entry.data}) {
        for (int shift = 0; shift < 64; shift += 8) {
            all += static_cast<char>(field.size() >> shift & 0xff);
        }
        all += field;
    }
    return hash128(as_bytes(all));
}

}  // namespace

Entry read_entry(const Logged& record) {
    Entry entry;
    entry.offset = record.offset.value();
    entry.time = record.time;
    bool good = true;
    for (const Header& header : record.headers) {
        good &= read_header(entry, header.name, as_text(header.value));
    }
    good &= entry.id.has_value() && !entry.type.empty() && record.key && record.value;
    if (!good) return entry;
    entry.key = as_text(*record.key);
    entry.data = as_text(*record.value);
    entry.body = hash_of_body(entry);
    entry.decodable = true;
    return entry;
}

}  // namespace penstock::verify
