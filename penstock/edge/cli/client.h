#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/base/url.h"

namespace penstock::cli {

/// `http://host[:port]`, where a node listens. Else invalid.
Result<Url> parse_server_url(std::string_view url);

struct HttpAnswer {
    int status = 0;
    std::string body;
};

/// One request at a time over one connection, for the words that talk to a running node.
/// Threads: one; blocks up to 30 s.
class HttpClient {
public:
    explicit HttpClient(Url server);
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;

    /// unreachable: nobody listens there, or the connection broke.
    Result<HttpAnswer> call(const std::string& method, const std::string& target,
                            const std::string& body = "");

private:
    struct Connection;

    Result<HttpAnswer> call_once(const std::string& method, const std::string& target,
                                 const std::string& body);

    Url server_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace penstock::cli
