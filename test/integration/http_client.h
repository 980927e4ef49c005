#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/time.h"

namespace penstock::test {

struct HttpAnswer {
    int status = 0;                             ///< 0: the connection ended before a whole answer
    std::map<std::string, std::string> fields;  ///< names in lower case
    std::string body;                           ///< decoded
    std::string text(const std::string& name) const;  ///< a field, or ""
};

/// A connection that sends exactly the bytes it is given, and waits for what comes with a deadline.
/// Threads: one.
class HttpClient {
public:
    explicit HttpClient(std::uint16_t port);
    explicit HttpClient(const std::string& unix_path);
    ~HttpClient();
    HttpClient(HttpClient&& other) noexcept;
    HttpClient& operator=(HttpClient&&) = delete;

    bool connected() const { return fd_ >= 0; }
    bool send(std::string_view bytes);
    void end_sending();
    /// `head_only`: the answer to a HEAD, which has no body.
    HttpAnswer receive(bool head_only = false);
    /// What has come by the time that `until` is in it, or the connection has ended.
    std::string receive_until(std::string_view until);
    /// True if the server has ended the connection, without anything more to read.
    bool ended();
    int fd() const { return fd_; }
    /// Lets the receive buffer be small, before much is sent.
    void read_slowly();

private:
    bool read_more();

    int fd_ = -1;
    std::string input_;
};

/// `METHOD path`, with the Host of this server and the body, if there is one.
std::string http_request(std::string_view method_and_path, std::string_view body = "",
                         std::string_view fields = "");

}  // namespace penstock::test
