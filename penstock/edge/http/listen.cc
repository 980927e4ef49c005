#include "penstock/edge/http/listen.h"

#include <charconv>

namespace penstock::http {

Result<ListenAddress> parse_listen(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    ListenAddress address;
    const char* end = text.data() + text.size();
    if (colon == std::string_view::npos || colon + 1 == text.size()) {
        return error(Code::invalid, "http.listen: '" + std::string(text) +
                                        "' is not host:port; say 127.0.0.1:8080 or [::1]:8080");
    }
    const auto [stop, bad] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (bad != std::errc() || stop != end) {
        return error(Code::invalid,
                     "http.listen: the port in '" + std::string(text) + "' is not 0 to 65535");
    }
    const std::string_view host = text.substr(0, colon);
    if (host == "127.0.0.1" || host == "localhost") {
        address.host = "127.0.0.1";
    } else if (host == "[::1]") {
        address.host = "::1";
    } else {
        return error(Code::unsafe,
                     "http.listen: '" + std::string(text) +
                         "' can be reached from other hosts, which needs TLS and tokens, and this "
                         "version has neither. Listen on 127.0.0.1 or [::1]; a proxy on this host "
                         "may stand in front, with its public name in http.allowed_hosts");
    }
    return address;
}

}  // namespace penstock::http
