#include "penstock/log/log.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/checksum.h"

namespace penstock {
namespace {

constexpr std::size_t kMaxTopicName = 249;

bool allowed_in_topic(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

}  // namespace

Result<void> check_topic_name(std::string_view name) {
    const bool good = !name.empty() && name.size() <= kMaxTopicName && name != "." &&
                      name != ".." && std::all_of(name.begin(), name.end(), allowed_in_topic);
    if (good) return {};
    return error(Code::invalid,
                 "a topic's name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is neither "
                 "'.' nor '..'");
}

Result<void> check_spec(const TopicSpec& spec) {
    PENSTOCK_TRY(check_topic_name(spec.topic.value()));
    if (spec.partitions == 0 || spec.partitions > kMaxPartitions) {
        return error(Code::invalid, fmt::format("a topic has 1 to {} partitions", kMaxPartitions));
    }
    return {};
}

Result<void> check_record(const Record& record) {
    if (record.key && record.key->size() > kMaxKeyBytes) {
        return error(Code::too_large, fmt::format("the key has {} bytes; at most {} are allowed",
                                                  record.key->size(), kMaxKeyBytes));
    }
    if (record.value && record.value->size() > kMaxValueBytes) {
        return error(Code::too_large, fmt::format("the value has {} bytes; at most {} are allowed",
                                                  record.value->size(), kMaxValueBytes));
    }
    std::size_t header_bytes = 0;
    for (const Header& header : record.headers) {
        header_bytes += header.name.size() + header.value.size();
    }
    if (record.headers.size() > kMaxHeaders || header_bytes > kMaxHeaderBytes) {
        return error(
            Code::too_large,
            fmt::format("the record has {} headers of {} bytes; at most {} of {} bytes "
                        "are allowed",
                        record.headers.size(), header_bytes, kMaxHeaders, kMaxHeaderBytes));
    }
    return {};
}

std::uint32_t fingerprint(const Logged& record) {
    const auto number = [](std::uint32_t seed, std::uint64_t value) {
        return crc32c({reinterpret_cast<const std::byte*>(&value), sizeof value}, seed);
    };
    const auto field = [&](std::uint32_t seed, const std::optional<Bytes>& bytes) {
        seed = number(seed, bytes ? bytes->size() : ~0ull);
        return bytes ? crc32c(*bytes, seed) : seed;
    };
    std::uint32_t crc = number(0, record.offset.value());
    crc = number(crc, static_cast<std::uint64_t>(unix_ms(record.time)));
    crc = field(crc, record.key);
    crc = field(crc, record.value);
    for (const Header& header : record.headers) {
        crc = field(crc, as_bytes(header.name));
        crc = field(crc, header.value);
    }
    return crc;
}

}  // namespace penstock
