#include "penstock/edge/http/base64.h"

#include <cstdint>

namespace penstock::http {
namespace {

constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int digit_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

}  // namespace

std::string to_base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group =
                group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
        }
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t group = 0;
        std::size_t padding = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const char c = text[i + k];
            const bool pad = c == '=' && i + 4 == text.size() && k >= 2;
            const int value = pad ? 0 : digit_value(c);
            if (value < 0 || (!pad && padding > 0)) return std::nullopt;
            padding += pad;
            group = group << 6 | static_cast<std::uint32_t>(value);
        }
        if ((group & ((1u << (8 * padding)) - 1)) != 0) return std::nullopt;
        for (std::size_t k = 0; k < 3 - padding; ++k) {
            out += static_cast<char>(group >> (16 - 8 * k) & 255);
        }
    }
    return out;
}

}  // namespace penstock::http
