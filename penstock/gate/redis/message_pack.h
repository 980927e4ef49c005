#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

/// The few forms of MessagePack (msgpack.org, specification of 2017) that travel between us and the
/// scripts: arrays of texts or whole numbers.
namespace penstock::message_pack {

void put_array(std::string& out, std::size_t count);     ///< the head; below 65,536 entries
void put_text(std::string& out, std::string_view text);  ///< below 65,536 bytes
/// The parts as one text.
void put_text(std::string& out, std::initializer_list<std::string_view> parts);
void put_number(std::string& out, std::int64_t value);

/// Reads an array of unsigned numbers one by one. What does not parse is the end.
class Numbers {
public:
    explicit Numbers(std::string_view bytes);
    std::size_t count() const { return count_; }
    std::optional<std::uint64_t> next();

private:
    std::optional<std::uint64_t> big_endian(std::size_t size);

    std::string_view rest_;
    std::size_t count_ = 0;
};

}  // namespace penstock::message_pack
