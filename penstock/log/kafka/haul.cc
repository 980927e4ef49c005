#include "penstock/log/kafka/haul.h"

#include <algorithm>
#include <charconv>

#include "penstock/log/kafka/producer.h"

namespace penstock::logkafka {
namespace {

Bytes bytes_at(const void* data, std::size_t size) {
    return {static_cast<const std::byte*>(data), size};
}

std::optional<LayoutId> layout_in(const Header& header) {
    if (header.name != kLayoutHeader) return std::nullopt;
    const std::string_view text = as_text(header.value);
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return LayoutId(number);
}

}  // namespace

void Haul::begin(const ReadLimits& limits) {
    left_ = limits;
    records_.clear();
    headers_.clear();
    headers_of_.clear();
    messages_.clear();
}

bool Haul::add(Message& message) {
    Logged record;
    if (message->key != nullptr) record.key = bytes_at(message->key, message->key_len);
    if (message->payload != nullptr) record.value = bytes_at(message->payload, message->len);
    record.offset = Offset(static_cast<std::uint64_t>(message->offset));
    record.time = log_time(rd_kafka_message_timestamp(message.get(), nullptr));
    std::size_t bytes = message->key_len + message->len;

    const Range range{headers_.size(), 0};
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(message.get(), &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                                RD_KAFKA_RESP_ERR_NO_ERROR;
             ++i) {
            const Header header{name, bytes_at(value, size)};
            const auto layout = i == 0 ? layout_in(header) : std::nullopt;
            if (layout) {
                record.layout = *layout;
                continue;
            }
            headers_.push_back(header);
            bytes += header.name.size() + size;
        }
    }
    if (!records_.empty() && (left_.max_records == 0 || bytes > left_.max_bytes)) {
        headers_.resize(range.first);
        left_.max_bytes = 0;
        return false;
    }
    left_.max_bytes -= std::min(left_.max_bytes, bytes);
    left_.max_records -= std::min<std::size_t>(left_.max_records, 1);
    headers_of_.push_back({range.first, headers_.size() - range.first});
    records_.push_back(record);
    messages_.push_back(std::move(message));
    return true;
}

void Haul::seal() {
    if (headers_.empty()) return;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        records_[i].headers =
            std::span<const Header>(headers_).subspan(headers_of_[i].first, headers_of_[i].count);
    }
}

}  // namespace penstock::logkafka
