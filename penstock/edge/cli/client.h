#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::cli {

/// Where a server listens, from `http://host:port`.
struct ServerUrl {
    std::string host;
    std::string port;
    std::string authority() const { return host + ":" + port; }
};
/// invalid: not of that form.
Result<ServerUrl> parse_server_url(const std::string& url);

struct HttpAnswer {
    int status = 0;
    std::string body;
};

/// One request at a time over one connection, for the words that talk to a running node.
/// Threads: one; blocks up to 30 s.
class HttpClient {
public:
    explicit HttpClient(ServerUrl server);
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;

    /// unreachable: nobody listens there, or the connection broke.
    Result<HttpAnswer> call(const std::string& method, const std::string& target,
                            const std::string& body = "");

private:
    struct Connection;

    Result<HttpAnswer> call_once(const std::string& method, const std::string& target,
                                 const std::string& body);

    ServerUrl server_;
    std::unique_ptr<Connection> connection_;
};

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
std::string encode_path(std::string_view text);

}  // namespace penstock::cli
