#include "penstock/gate/redis/message_pack.h"

namespace penstock::message_pack {
namespace {

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out += static_cast<char>(value >> shift & 0xff);
    }
}

}  // namespace

void put_array(std::string& out, std::size_t count) {
    out += '\xdc';
    put_big_endian(out, count, 2);
}

void put_text(std::string& out, std::string_view text) {
    put_text(out, {text});
}

void put_text(std::string& out, std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const std::string_view part : parts) size += part.size();
    if (size < 32) {
        out += static_cast<char>(0xa0 | size);
    } else {
        out += '\xda';
        put_big_endian(out, size, 2);
    }
    for (const std::string_view part : parts) out += part;
}

void put_number(std::string& out, std::int64_t value) {
    if (value >= 0 && value < 128) {
        out += static_cast<char>(value);
    } else {
        out += '\xd3';
        put_big_endian(out, static_cast<std::uint64_t>(value), 8);
    }
}

Numbers::Numbers(std::string_view bytes) : rest_(bytes) {
    if (rest_.empty()) return;
    const auto head = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    if ((head & 0xf0) == 0x90) {
        count_ = head & 0x0f;
    } else if (head == 0xdc) {
        count_ = static_cast<std::size_t>(big_endian(2).value_or(0));
    } else if (head == 0xdd) {
        count_ = static_cast<std::size_t>(big_endian(4).value_or(0));
    }
}

std::optional<std::uint64_t> Numbers::next() {
    if (rest_.empty()) return std::nullopt;
    const auto head = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    if (head < 0x80) return head;
    if (head < 0xcc || head > 0xcf) return std::nullopt;
    return big_endian(std::size_t{1} << (head - 0xcc));
}

std::optional<std::uint64_t> Numbers::big_endian(std::size_t size) {
    if (rest_.size() < size) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value = value << 8 | static_cast<std::uint8_t>(rest_[i]);
    }
    rest_.remove_prefix(size);
    return value;
}

}  // namespace penstock::message_pack
