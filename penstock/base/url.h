#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

/// Where a server is and as whom to speak to it. A URL of RFC 3986 with an authority, taken apart
/// and percent-decoded.
struct Url {
    std::string user;  ///< empty: none
    std::optional<std::string> password;
    std::string host;  ///< an IPv6 address without its brackets
    std::uint16_t port = 0;
    std::string path;  ///< with the slash in front; may be empty

    /// host:port, an IPv6 address in brackets; for messages: without user and password.
    std::string authority() const;
};

/// What a URL of some kind is like.
struct UrlForm {
    std::string_view scheme;
    std::string_view shown;          ///< what it reads like, for errors
    std::uint16_t default_port = 0;  ///< where the URL names none
};

/// Of this scheme, with a host, without query, fragment and zero bytes. Else invalid: the text of
/// the error repeats nothing of the URL, which may hold a password.
Result<Url> parse_url(std::string_view text, const UrlForm& form);
/// That error for what the form itself does not say. `what` follows "the url".
Error bad_url(const UrlForm& form, std::string_view what);

/// Whether a plus in percent-encoded text is a space, as in a query of HTML forms.
enum class Plus { itself, space };

/// Nothing if there is a % without two hexadecimal digits behind it.
std::optional<std::string> percent_decode(std::string_view text, Plus plus = Plus::itself);
/// Everything but the unreserved characters of RFC 3986, section 2.3, is encoded.
std::string percent_encode(std::string_view text);

}  // namespace penstock
