// An assertion in Beast 1.81 (parse_chunk_header: n >= 5) does not hold for a last chunk that comes
// byte by byte, and a client must not be able to end a debug build. The code behind it is right.
#define BOOST_DISABLE_ASSERTS

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <string>

#include "penstock/edge/http/parser.h"

namespace penstock::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using BeastView = beast::string_view;

std::string_view view(BeastView text) {
    return {text.data(), text.size()};
}

/// Beast's grammar with storage of ours: fields borrow from the header block.
class Grammar final : public beast::http::basic_parser<true> {
public:
    Grammar(Request& request, std::string& body, const HttpLimits& limits)
        : request_(request), body_(body), limits_(limits) {
        header_limit(static_cast<std::uint32_t>(limits.header_bytes + 4));
        body_limit(boost::none);
        eager(false);
    }

    std::size_t body_limit_bytes = 0;
    std::size_t received = 0;
    const Malformed* refused = nullptr;
    bool in_body = false;
    int version = 11;
    bool length_given = false, coding_given = false;

private:
    static constexpr Malformed kTooManyFields{431, "too_many_fields",
                                              "The request has too many header fields."};
    static constexpr Malformed kBodyTooLarge{413, "body_too_large",
                                             "The body is larger than this call takes."};
    static constexpr Malformed kCoding{400, "bad_transfer_encoding",
                                       "The only transfer coding is chunked, once, without "
                                       "Content-Length, in HTTP/1.1."};
    static constexpr Malformed kTwoLengths{400, "bad_content_length",
                                           "Send one Content-Length, a plain decimal number."};

    void refuse(const Malformed& why, error_code& ec) {
        refused = &why;
        ec = beast::http::error::bad_value;
    }

    void on_request_impl(beast::http::verb, BeastView method, BeastView target, int v,
                         error_code&) override {
        request_.method_text = view(method);
        request_.method = method_of(request_.method_text);
        request_.target = view(target);
        version = v;
    }
    void on_response_impl(int, BeastView, int, error_code&) override {}

    void on_field_impl(beast::http::field field, BeastView name, BeastView value,
                       error_code& ec) override {
        if (++fields_ > limits_.fields) return refuse(kTooManyFields, ec);
        if (in_body) return;  // trailers are counted and dropped
        if (field == beast::http::field::content_length) {
            const bool digits = view(value).find_first_not_of("0123456789") == std::string::npos;
            if (length_given || !digits) return refuse(kTwoLengths, ec);
            if (coding_given) return refuse(kCoding, ec);
            length_given = true;
        }
        if (field == beast::http::field::transfer_encoding) {
            const bool chunked = equals_ignoring_case(view(value), "chunked");
            if (coding_given || length_given || !chunked || version < 11) {
                return refuse(kCoding, ec);
            }
            coding_given = true;
        }
        request_.fields.push_back({view(name), view(value)});
    }
    void on_header_impl(error_code&) override {}

    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(BeastView piece, error_code& ec) override { return take(piece, ec); }
    void on_chunk_header_impl(std::uint64_t size, BeastView, error_code& ec) override {
        if (size > body_limit_bytes || received > body_limit_bytes - size) {
            refuse(kBodyTooLarge, ec);
        }
    }
    std::size_t on_chunk_body_impl(std::uint64_t, BeastView piece, error_code& ec) override {
        return take(piece, ec);
    }
    void on_finish_impl(error_code&) override {}

    std::size_t take(BeastView piece, error_code& ec) {
        if (piece.size() > body_limit_bytes - received) return refuse(kBodyTooLarge, ec), 0;
        const auto length = content_length();
        // The whole body at once: borrow it, nothing is copied.
        if (received == 0 && length && *length == piece.size()) {
            request_.body = view(piece);
        } else {
            body_.append(piece.data(), piece.size());
            request_.body = body_;
        }
        received += piece.size();
        return piece.size();
    }

    Request& request_;
    std::string& body_;
    const HttpLimits& limits_;
    std::size_t fields_ = 0;
};

Malformed explain(const error_code& ec) {
    using beast::http::error;
    if (ec == error::bad_version) {
        return {505, "http_version_not_supported", "Speak HTTP/1.1 or HTTP/1.0."};
    }
    if (ec == error::header_limit) {
        return {431, "header_too_large", "The header is larger than 8 KiB."};
    }
    if (ec == error::bad_content_length || ec == error::multiple_content_length) {
        return {400, "bad_content_length", "Send one Content-Length, a plain decimal number."};
    }
    if (ec == error::bad_transfer_encoding) {
        return {400, "bad_transfer_encoding",
                "The only transfer coding is chunked, once, without Content-Length, in HTTP/1.1."};
    }
    if (ec == error::bad_chunk || ec == error::bad_chunk_extension) {
        return {400, "bad_chunk", "The chunked body is malformed."};
    }
    if (ec == error::bad_target) {
        return {400, "bad_target", "The request target has characters that must be encoded."};
    }
    return {400, "bad_request", "This is not a well-formed HTTP/1.1 request."};
}

class BeastParser final : public RequestParser {
public:
    explicit BeastParser(const HttpLimits& limits) : limits_(limits) { reset(); }

    Step feed(std::string_view input, std::size_t& used) override {
        used = 0;
        return in_header_ ? feed_header(input, used) : feed_body(input, used);
    }
    const Request& request() const override { return request_; }
    const Malformed& malformed() const override { return malformed_; }
    void limit_body(std::size_t bytes) override { grammar_->body_limit_bytes = bytes; }
    bool has_body() const override { return !grammar_->is_done(); }
    std::size_t body_received() const override { return grammar_->received; }
    std::size_t held_bytes() const override { return body_.capacity() + head_.capacity(); }

    void reset() override {
        request_.method = Method::other;
        request_.method_text = request_.target = request_.path = request_.query = {};
        request_.fields.clear();
        request_.body = {};
        if (body_.capacity() > kKeptBytes) body_ = std::string();
        body_.clear();
        in_header_ = true;
        scanned_ = 0;
        grammar_.emplace(request_, body_, limits_);
        grammar_->body_limit_bytes = limits_.body_bytes;
    }

private:
    static constexpr std::size_t kKeptBytes = 64 * 1024;
    static constexpr std::size_t kChunkHeaderBytes = 8 * 1024;  ///< with extensions and trailers

    Step fail(const Malformed& why) {
        malformed_ = why;
        return Step::failed;
    }

    Step feed_header(std::string_view input, std::size_t& used) {
        // One empty line before a request is forgiven (RFC 9112, 2.2).
        const std::size_t skip = input.substr(0, 2) == "\r\n" ? 2 : 0;
        const std::size_t end = input.find("\r\n\r\n", std::max(scanned_, skip));
        if (end == std::string_view::npos) {
            if (input.size() > limits_.header_bytes) {
                return fail({431, "header_too_large", "The header is larger than 8 KiB."});
            }
            if (input.size() > 4) scanned_ = input.size() - 3;
            return Step::need_more;
        }
        if (end + 4 - skip > limits_.header_bytes) {
            return fail({431, "header_too_large", "The header is larger than 8 KiB."});
        }
        head_.assign(input.substr(skip, end + 4 - skip));
        used = end + 4;
        return parse_header();
    }

    Step parse_header() {
        if (head_.find("\r\n ") != std::string::npos || head_.find("\r\n\t") != std::string::npos) {
            return fail({400, "folded_field", "Header fields must not go over several lines."});
        }
        error_code ec;
        grammar_->put({head_.data(), head_.size()}, ec);
        if (ec) return fail(grammar_->refused ? *grammar_->refused : explain(ec));
        if (!grammar_->is_header_done()) return fail(explain(beast::http::error::bad_field));
        request_.http_1_0 = grammar_->version < 11;
        request_.keep_alive = grammar_->keep_alive();
        const std::size_t mark = request_.target.find('?');
        request_.path = request_.target.substr(0, mark);
        if (mark != std::string_view::npos) request_.query = request_.target.substr(mark + 1);
        in_header_ = false;
        grammar_->in_body = true;
        grammar_->eager(true);
        return Step::header;
    }

    Step feed_body(std::string_view input, std::size_t& used) {
        if (grammar_->is_done()) return Step::complete;
        const auto length = grammar_->content_length();
        if (length && *length > grammar_->body_limit_bytes) {
            return fail({413, "body_too_large", "The body is larger than this call takes."});
        }
        if (input.empty()) return Step::need_more;
        error_code ec;
        used = grammar_->put({input.data(), input.size()}, ec);
        if (ec && ec != beast::http::error::need_more) {
            return fail(grammar_->refused ? *grammar_->refused : explain(ec));
        }
        if (grammar_->is_done()) return Step::complete;
        if (input.size() - used > kChunkHeaderBytes) {
            return fail({400, "bad_chunk", "The chunked body is malformed."});
        }
        return Step::need_more;
    }

    const HttpLimits& limits_;
    Request request_;
    std::string head_, body_;
    std::optional<Grammar> grammar_;
    Malformed malformed_;
    bool in_header_ = true;
    std::size_t scanned_ = 0;
};

}  // namespace

std::unique_ptr<RequestParser> make_beast_parser(const HttpLimits& limits) {
    return std::make_unique<BeastParser>(limits);
}

}  // namespace penstock::http
