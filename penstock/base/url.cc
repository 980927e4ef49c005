#include "penstock/base/url.h"

#include <fmt/format.h>

#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace penstock {

namespace urls = boost::urls;

std::string Url::authority() const {
    const bool is_v6 = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

Error bad_url(const UrlForm& form, std::string_view what) {
    return error(Code::invalid, fmt::format("the url {}; it reads {}", what, form.shown));
}

Result<Url> parse_url(std::string_view text, const UrlForm& form) {
    const auto parsed = urls::parse_uri({text.data(), text.size()});
    if (!parsed) {
        return bad_url(form,
                       "does not follow RFC 3986 (in a password, @ / # and such are encoded: %40)");
    }
    if (std::string_view(parsed->scheme()) != form.scheme) {
        return bad_url(form, fmt::format("does not begin with {}://", form.scheme));
    }
    if (parsed->has_query() || parsed->has_fragment()) {
        return bad_url(form, "has a query or a fragment");
    }
    Url url{parsed->user(), {}, parsed->host_address(), form.default_port, parsed->path()};
    if (parsed->has_password()) url.password = parsed->password();
    if (url.host.empty()) return bad_url(form, "names no host");
    for (const std::string& part : {url.user, url.password.value_or(""), url.host, url.path}) {
        if (part.find('\0') != std::string::npos) return bad_url(form, "has a zero byte");
    }
    if (parsed->has_port()) url.port = parsed->port_number();
    // Boost 1.81 takes what follows the digits of a port for a path.
    const bool is_port_over = url.path.empty() || url.path.front() == '/';
    if (url.port == 0 || !is_port_over) return bad_url(form, "has a port that is not 1 to 65535");
    return url;
}

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
    if (text.find_first_of("%+") == std::string_view::npos) return std::string(text);
    const auto valid = urls::make_pct_string_view({text.data(), text.size()});
    if (!valid) return std::nullopt;
    return valid->decode(urls::encoding_opts(plus == Plus::space));
}

std::string percent_encode(std::string_view text) {
    return urls::encode({text.data(), text.size()}, urls::unreserved_chars);
}

}  // namespace penstock
