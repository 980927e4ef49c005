#include "penstock/gate/redis/url.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace penstock {
namespace {

Error wrong(std::string_view what) {
    return error(
        Code::invalid,
        fmt::format("the Redis url {}; it is redis://[[user]:password@]host[:port][/database]",
                    what));
}

std::optional<int> number(std::string_view text, int most) {
    int value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value >= 0 && value <= most ? std::optional(value) : std::nullopt;
}

std::optional<std::string> decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        unsigned value = 0;
        if (i + 2 >= text.size()) return std::nullopt;
        const char* const digits = text.data() + i + 1;
        const auto [end, failed] = std::from_chars(digits, digits + 2, value, 16);
        if (failed != std::errc() || end != digits + 2) return std::nullopt;
        plain += static_cast<char>(value);
        i += 2;
    }
    return plain;
}

Result<void> parse_login(std::string_view login, RedisUrl& url) {
    const std::size_t colon = login.find(':');
    if (colon == std::string_view::npos) return wrong("has a user without a password");
    const auto user = decoded(login.substr(0, colon));
    const auto password = decoded(login.substr(colon + 1));
    if (!user || !password) return wrong("has a % without two hexadecimal digits behind it");
    if (password->empty()) return wrong("has an empty password");
    url.user = *user;
    url.password = *password;
    return {};
}

Result<void> parse_place(std::string_view place, RedisUrl& url) {
    std::string_view port;
    if (place.starts_with('[')) {
        const std::size_t end = place.find(']');
        if (end == std::string_view::npos) return wrong("has no ] behind its host");
        url.host = place.substr(1, end - 1);
        port = place.substr(end + 1);
    } else {
        const std::size_t colon = place.find(':');
        url.host = place.substr(0, colon);
        if (colon != std::string_view::npos) port = place.substr(colon);
    }
    if (url.host.empty()) return wrong("names no host");
    if (port.empty()) return {};
    const auto value = port.starts_with(':') ? number(port.substr(1), 65535) : std::nullopt;
    if (!value || *value == 0) return wrong("has a port that is none");
    url.port = *value;
    return {};
}

}  // namespace

std::string RedisUrl::shown() const {
    const bool colons = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}/{}", colons ? "[" : "", host, colons ? "]" : "", port, database);
}

Result<RedisUrl> parse_redis_url(std::string_view text) {
    constexpr std::string_view kScheme = "redis://";
    if (text.starts_with("rediss://")) return wrong("asks for TLS, which this build cannot do");
    if (!text.starts_with(kScheme)) return wrong("does not begin with redis://");
    text.remove_prefix(kScheme.size());
    RedisUrl url;
    const std::size_t at = text.rfind('@');
    if (at != std::string_view::npos) {
        PENSTOCK_TRY(parse_login(text.substr(0, at), url));
        text.remove_prefix(at + 1);
    }
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos && slash + 1 < text.size()) {
        const auto database = number(text.substr(slash + 1), 1'000'000);
        if (!database) return wrong("has a database that is no number");
        url.database = *database;
    }
    PENSTOCK_TRY(parse_place(text.substr(0, slash), url));
    return url;
}

}  // namespace penstock
