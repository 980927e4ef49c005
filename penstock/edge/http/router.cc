#include "penstock/edge/http/router.h"

#include <algorithm>

#include "penstock/base/url.h"

namespace penstock::http {
namespace {

constexpr std::size_t kMaxSegments = 8;

/// False: it does not begin with a slash or has too many segments.
bool split(std::string_view path, std::vector<std::string_view>& segments) {
    if (path.empty() || path[0] != '/') return false;
    path.remove_prefix(1);
    while (true) {
        const std::size_t slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (segments.size() > kMaxSegments) return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

void Router::add(Route route) {
    route.index = routes_.size();
    routes_.push_back(std::make_unique<Route>(std::move(route)));
    const Route& added = *routes_.back();
    std::vector<std::string_view> parts;
    split(added.path, parts);
    Entry entry{{}, &added};
    bool verb = false;
    for (const std::string_view part : parts) {
        if (!part.empty() && part[0] == '{') {
            entry.segments.push_back({std::string(part.substr(part.find('}') + 1)), true});
            verb = verb || !entry.segments.back().text.empty();
        } else {
            entry.segments.push_back({std::string(part), false});
        }
    }
    by_length_.resize(std::max(by_length_.size(), parts.size() + 1));
    auto& entries = by_length_[parts.size()];
    entries.insert(verb ? entries.begin() : entries.end(), std::move(entry));
}

bool Router::fits(const Entry& entry, const std::vector<std::string_view>& segments) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& segment = entry.segments[i];
        if (!segment.parameter) {
            if (segments[i] != segment.text) return false;
        } else if (segments[i].size() <= segment.text.size() ||
                   !segments[i].ends_with(segment.text)) {
            return false;
        }
    }
    return true;
}

bool Router::takes(const Entry& entry, const std::vector<std::string_view>& segments,
                   Match& match) {
    match.route = entry.route;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& segment = entry.segments[i];
        if (!segment.parameter) continue;
        auto value =
            percent_decode(segments[i].substr(0, segments[i].size() - segment.text.size()));
        if (!value) {
            match.route = nullptr;
            match.bad_escape = true;
            return false;
        }
        match.parameters.push_back(std::move(*value));
    }
    return true;
}

Router::Match Router::find(Method method, std::string_view path) const {
    Match match;
    std::vector<std::string_view> segments;
    segments.reserve(kMaxSegments + 1);
    if (!split(path, segments) || segments.size() >= by_length_.size()) return match;
    const Method wanted = method == Method::head ? Method::get : method;
    const Route* like = nullptr;
    for (const Entry& entry : by_length_[segments.size()]) {
        // A path that names a verb means that verb: `x:close` is no campaign called "x:close".
        const bool verb = like && !like->path.ends_with('}') && entry.route->path.ends_with('}');
        if (verb || !fits(entry, segments)) continue;
        like = entry.route;
        if (entry.route->method == wanted) {
            takes(entry, segments, match);
            return match;
        }
        if (!match.allow.empty()) match.allow += ", ";
        match.allow += to_string(entry.route->method);
        if (entry.route->method == Method::get) match.allow += ", HEAD";
    }
    return match;
}

}  // namespace penstock::http
