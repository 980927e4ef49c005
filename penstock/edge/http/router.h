#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/edge/http/request.h"

namespace penstock::http {

class Exchange;
using ExchangePtr = std::shared_ptr<Exchange>;
/// What stood in the places of a template's {names}, decoded, in order.
using PathParameters = std::vector<std::string>;
/// Runs on the loop; must not block. Answers the exchange, now or later.
using RouteHandler = std::function<void(const ExchangePtr&, const Request&, const PathParameters&)>;

struct Route {
    Method method;
    std::string path;  ///< `/v1/campaigns/{id}/claims:batch`
    std::size_t body_bytes;
    RouteHandler handler;
    std::size_t index = 0;  ///< set by the router
};

/// Finds the route of a request. Threads: any once all routes are added.
class Router {
public:
    void add(Route route);

    struct Match {
        const Route* route = nullptr;  ///< none: `allow` says whether the path exists at all
        PathParameters parameters;
        std::string allow;        ///< methods of this path; empty: no such path
        bool bad_escape = false;  ///< a malformed %-sequence
    };
    Match find(Method method, std::string_view path) const;
    const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

private:
    struct Segment {
        std::string text;  ///< literal, or the suffix behind a parameter (`:close`)
        bool parameter = false;
    };
    struct Entry {
        std::vector<Segment> segments;
        const Route* route;
    };
    static bool fits(const Entry& entry, const std::vector<std::string_view>& segments);
    static bool takes(const Entry& entry, const std::vector<std::string_view>& segments,
                      Match& match);

    std::vector<std::unique_ptr<Route>> routes_;
    std::vector<std::vector<Entry>> by_length_;  ///< by number of segments; verbs before plain
};

}  // namespace penstock::http
