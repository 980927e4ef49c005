#include "penstock/store/mariadb/endpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace penstock::mariadb {
namespace {

constexpr std::string_view kScheme = "mariadb://";

Error wrong(std::string_view what) {
    return error(Code::invalid, fmt::format("the url of the store: {}; it reads "
                                            "mariadb://user:password@host:port/database",
                                            what));
}

std::optional<std::string> decoded(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        unsigned value = 0;
        const char* const digits = text.data() + i + 1;
        if (text.size() - i < 3 ||
            std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2 || value == 0) {
            return std::nullopt;
        }
        plain += static_cast<char>(value);
        i += 2;
    }
    return plain;
}

Result<void> take_account(std::string_view text, Endpoint& into) {
    const auto colon = text.find(':');
    const auto user = decoded(text.substr(0, colon));
    const auto password = colon == text.npos ? std::string() : decoded(text.substr(colon + 1));
    if (!user || user->empty()) return wrong("the user is missing or badly encoded");
    if (!password) return wrong("the password is badly encoded");
    into.user = *user;
    into.password = *password;
    return {};
}

Result<void> take_place(std::string_view text, Endpoint& into) {
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos) return wrong("the bracket of the host is not closed");
        into.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else {
        const auto colon = std::min(text.find(':'), text.size());
        into.host = text.substr(0, colon);
        port = text.substr(colon);
    }
    if (into.host.empty()) return wrong("the host is missing");
    if (port.empty()) return {};
    const char* const end = port.data() + port.size();
    const auto read = std::from_chars(port.data() + 1, end, into.port);
    if (port.front() != ':' || read.ec != std::errc() || read.ptr != end || into.port == 0) {
        return wrong("the port is no number from 1 to 65535");
    }
    return {};
}

}  // namespace

std::string Endpoint::place() const {
    const bool v6 = host.find(':') != host.npos;
    return fmt::format("{}{}{}:{}/{}", v6 ? "[" : "", host, v6 ? "]" : "", port, database);
}

Result<Endpoint> parse_url(std::string_view url) {
    if (!url.starts_with(kScheme)) return wrong("it does not begin with mariadb://");
    url.remove_prefix(kScheme.size());
    const auto slash = url.find('/');
    if (slash == url.npos) return wrong("the database is missing");
    const std::string_view authority = url.substr(0, slash);
    const auto at = authority.rfind('@');
    if (at == authority.npos) return wrong("the user is missing or badly encoded");
    Endpoint endpoint;
    PENSTOCK_TRY(take_account(authority.substr(0, at), endpoint));
    PENSTOCK_TRY(take_place(authority.substr(at + 1), endpoint));
    const auto database = decoded(url.substr(slash + 1));
    if (!database || database->empty() || database->find_first_of("/?#") != database->npos) {
        return wrong("the database is missing or badly encoded");
    }
    endpoint.database = *database;
    return endpoint;
}

}  // namespace penstock::mariadb
