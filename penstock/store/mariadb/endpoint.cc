#include "penstock/store/mariadb/endpoint.h"

#include <fmt/format.h>

namespace penstock::mariadb {

std::string Endpoint::place() const {
    return fmt::format("{}/{}", at.authority(), database);
}

Result<Endpoint> parse_endpoint(std::string_view url) {
    constexpr UrlForm kForm{"mariadb", "mariadb://user:password@host:port/database", 3306};
    auto at = parse_url(url, kForm);
    if (!at) return at.error();
    if (at->user.empty()) return bad_url(kForm, "names no user");
    const std::string database = at->path.empty() ? "" : at->path.substr(1);
    if (database.empty() || database.find_first_of("/?#") != database.npos) {
        return bad_url(kForm, "names no database, or one whose name it cannot have");
    }
    return Endpoint{*std::move(at), database};
}

}  // namespace penstock::mariadb
