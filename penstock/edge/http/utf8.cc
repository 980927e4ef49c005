#include "penstock/edge/http/utf8.h"

namespace penstock::http {
namespace {

unsigned char byte(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

bool continues(std::string_view text, std::size_t i) {
    return i < text.size() && (byte(text, i) & 0xc0) == 0x80;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
    if (text.empty()) return 0;
    const unsigned char lead = byte(text, 0);
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4 || !continues(text, 1)) return 0;
    if (lead < 0xe0) return 2;
    const unsigned char second = byte(text, 1);
    if (!continues(text, 2)) return 0;
    if (lead < 0xf0) {
        if (lead == 0xe0 && second < 0xa0) return 0;
        if (lead == 0xed && second > 0x9f) return 0;
        return 3;
    }
    if (!continues(text, 3)) return 0;
    if (lead == 0xf0 && second < 0x90) return 0;
    if (lead == 0xf4 && second > 0x8f) return 0;
    return 4;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace penstock::http
