#include "penstock/edge/cli/client.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace penstock::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::uint64_t kMaxAnswer = 64 << 20;

}  // namespace

struct HttpClient::Connection {
    asio::io_context io;
    beast::tcp_stream stream{io};
    beast::flat_buffer buffer;

    /// Runs one asynchronous step to its end and gives its error.
    template <class Start>
    beast::error_code step(Start&& start) {
        beast::error_code result = asio::error::timed_out;
        stream.expires_after(kPatience);
        start([&](beast::error_code error, auto&&...) { result = error; });
        io.restart();
        io.run();
        return result;
    }
};

Result<Url> parse_server_url(std::string_view text) {
    constexpr UrlForm kForm{"http", "http://host:port", 80};
    const auto wrong = [](Error why) {
        why.text.insert(0, "--server: ");
        return why;
    };
    auto url = parse_url(text, kForm);
    if (!url) return wrong(url.error());
    if (!url->user.empty() || url->password) return wrong(bad_url(kForm, "names a user"));
    if (!url->path.empty() && url->path != "/") return wrong(bad_url(kForm, "has a path"));
    return url;
}

HttpClient::HttpClient(Url server) : server_(std::move(server)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

Result<HttpAnswer> HttpClient::call(const std::string& method, const std::string& target,
                                    const std::string& body) {
    const bool kept = connection_ != nullptr;
    auto answer = call_once(method, target, body);
    // A kept connection may have been closed meanwhile by the server; a new one tells the truth.
    if (!answer && kept && method == "GET") answer = call_once(method, target, body);
    return answer;
}

Result<HttpAnswer> HttpClient::call_once(const std::string& method, const std::string& target,
                                         const std::string& body) {
    const auto failed = [&](beast::error_code why) {
        connection_.reset();
        return error(Code::unreachable,
                     fmt::format("no answer from http://{}: {}; is `penstock serve` running there?",
                                 server_.authority(), why.message()));
    };
    if (!connection_) {
        connection_ = std::make_unique<Connection>();
        beast::error_code why;
        asio::ip::tcp::resolver resolver(connection_->io);
        const auto addresses = resolver.resolve(server_.host, std::to_string(server_.port), why);
        if (why) return failed(why);
        why = connection_->step(
            [&](auto done) { connection_->stream.async_connect(addresses, std::move(done)); });
        if (why) return failed(why);
    }
    beast::http::request<beast::http::string_body> request;
    request.method_string(method);
    request.target(target);
    request.version(11);
    request.set(beast::http::field::host, server_.authority());
    request.body() = body;
    request.prepare_payload();
    auto why = connection_->step([&](auto done) {
        beast::http::async_write(connection_->stream, request, std::move(done));
    });
    if (why) return failed(why);
    beast::http::response_parser<beast::http::string_body> parser;
    parser.body_limit(kMaxAnswer);
    why = connection_->step([&](auto done) {
        beast::http::async_read(connection_->stream, connection_->buffer, parser, std::move(done));
    });
    if (why) return failed(why);
    HttpAnswer answer{static_cast<int>(parser.get().result_int()), parser.get().body()};
    if (!parser.get().keep_alive()) connection_.reset();
    return answer;
}

}  // namespace penstock::cli
