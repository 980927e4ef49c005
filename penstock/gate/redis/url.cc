#include "penstock/gate/redis/url.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace penstock {
namespace {

constexpr UrlForm kForm{"redis", "redis://[[user]:password@]host[:port][/database]", 6379};
constexpr int kMostDatabases = 1'000'000;

std::optional<int> database_in(std::string_view path) {
    if (path.size() <= 1) return 0;
    path.remove_prefix(1);
    int value = 0;
    const auto [end, failed] = std::from_chars(path.data(), path.data() + path.size(), value);
    if (failed != std::errc() || end != path.data() + path.size()) return std::nullopt;
    return value >= 0 && value <= kMostDatabases ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string RedisUrl::shown() const {
    return fmt::format("{}/{}", at.authority(), database);
}

Result<RedisUrl> parse_redis_url(std::string_view text) {
    if (text.starts_with("rediss:")) {
        return bad_url(kForm, "asks for TLS, which this build cannot do");
    }
    auto at = parse_url(text, kForm);
    if (!at) return at.error();
    const auto database = database_in(at->path);
    if (!database) return bad_url(kForm, "has a database that is no number");
    if (at->password ? at->password->empty() : !at->user.empty()) {
        return bad_url(kForm, "has a user without a password, or an empty one");
    }
    return RedisUrl{*std::move(at), *database};
}

}  // namespace penstock
