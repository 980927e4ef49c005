#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::http {

/// The members of a query, decoded (here a plus is a space). A doubled name or a malformed
/// sequence: nothing.
class Query {
public:
    static std::optional<Query> parse(std::string_view query);
    std::optional<std::string_view> get(std::string_view name) const;
    /// The first name that is not in `known`.
    std::optional<std::string_view> stranger(std::initializer_list<std::string_view> known) const;

private:
    std::vector<std::pair<std::string, std::string>> members_;
};

/// Which hosts a request may be meant for: against pages that let their name point to us.
class HostList {
public:
    /// Beside localhost, 127.0.0.1 and [::1], which go with any port. `name` goes with any port,
    /// `name:port` with that one.
    explicit HostList(std::vector<std::string> allowed);
    /// `authority` as in a Host field.
    bool allows(std::string_view authority) const;
    /// `origin` as in an Origin field: a scheme and one of the hosts.
    bool allows_origin(std::string_view origin) const;

private:
    std::vector<std::string> allowed_;
};

}  // namespace penstock::http
