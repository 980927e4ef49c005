#include "penstock/edge/http/target.h"

#include <algorithm>

#include "penstock/base/url.h"
#include "penstock/edge/http/request.h"

namespace penstock::http {
namespace {

constexpr std::size_t kMaxQueryMembers = 32;

/// Host without its port; nothing if the port is not one.
std::optional<std::string_view> host_of(std::string_view authority) {
    const std::size_t close = authority.rfind(']');
    const std::size_t colon = authority.rfind(':');
    if (colon == std::string_view::npos || (close != std::string_view::npos && colon < close)) {
        return authority;
    }
    const std::string_view port = authority.substr(colon + 1);
    if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    return authority.substr(0, colon);
}

}  // namespace

std::optional<Query> Query::parse(std::string_view text) {
    Query query;
    while (!text.empty()) {
        const std::string_view member = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), member.size() + 1));
        if (member.empty()) continue;
        const std::size_t equals = member.find('=');
        auto name = percent_decode(member.substr(0, equals), Plus::space);
        auto value = equals == std::string_view::npos
                         ? std::string()
                         : percent_decode(member.substr(equals + 1), Plus::space);
        if (!name || !value || query.get(*name) || query.members_.size() == kMaxQueryMembers) {
            return std::nullopt;
        }
        query.members_.emplace_back(std::move(*name), std::move(*value));
    }
    return query;
}

std::optional<std::string_view> Query::get(std::string_view name) const {
    for (const auto& [known, value] : members_) {
        if (known == name) return value;
    }
    return std::nullopt;
}

std::optional<std::string_view> Query::stranger(
    std::initializer_list<std::string_view> known) const {
    for (const auto& [name, value] : members_) {
        if (std::find(known.begin(), known.end(), name) == known.end()) return name;
    }
    return std::nullopt;
}

HostList::HostList(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {
    allowed_.insert(allowed_.begin(), {"localhost", "127.0.0.1", "[::1]"});
}

bool HostList::allows(std::string_view authority) const {
    const auto host = host_of(authority);
    if (!host || host->empty()) return false;
    return std::any_of(allowed_.begin(), allowed_.end(), [&](const std::string& allowed) {
        return equals_ignoring_case(allowed, *host) || equals_ignoring_case(allowed, authority);
    });
}

bool HostList::allows_origin(std::string_view origin) const {
    const std::size_t scheme = origin.find("://");
    if (scheme == std::string_view::npos) return false;
    const std::string_view name = origin.substr(0, scheme);
    return (name == "http" || name == "https") && allows(origin.substr(scheme + 3));
}

}  // namespace penstock::http
