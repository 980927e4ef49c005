#include "penstock/edge/http/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <exception>

namespace penstock::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kFirstBuffer = 4 * 1024;
constexpr std::size_t kLargestBuffer = 64 * 1024;
constexpr std::size_t kPassedOverBody = 64 * 1024;  ///< of a request that is refused anyway
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

void release(std::string& buffer) {
    if (buffer.capacity() > kLargestBuffer) {
        buffer = std::string();
    } else {
        buffer.clear();
    }
}

}  // namespace

void Hub::flush() {
    for (std::size_t i = 0; i < dirty.size(); ++i) {
        const ConnectionPtr connection = std::move(dirty[i]);
        connection->flush();
    }
    dirty.clear();
}

void InputBuffer::use(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
}

void InputBuffer::make_room() {
    if (begin_ > 0) {
        std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  bytes_.begin() + static_cast<std::ptrdiff_t>(end_), bytes_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    if (bytes_.empty()) {
        bytes_.resize(kFirstBuffer);
    } else if (room_size() == 0 && bytes_.size() < kLargestBuffer) {
        bytes_.resize(bytes_.size() * 4);
    }
}

void InputBuffer::shrink() {
    if (empty()) bytes_ = {};
}

Connection::Connection(Socket socket, Hub& hub)
    : socket_(std::move(socket)),
      hub_(hub),
      parser_(make_beast_parser(hub.limits)),
      since_(hub.now) {}

Connection::~Connection() {
    close();
}

void Connection::start() {
    read();
}

void Connection::enter(Phase phase) {
    phase_ = phase;
    since_ = hub_.now;
}

HeadOptions Connection::head_options(const Exchange& exchange) const {
    return {hub_.date, exchange.http_1_0_, exchange.keep_alive_, exchange.head_only_};
}

void Connection::read() {
    if (reading_ || closed_ || eof_ || out_.size() + sending_.size() > hub_.limits.backlog_bytes) {
        return;
    }
    if (phase_ != Phase::deaf) {
        in_.make_room();
    } else {
        in_.use(in_.view().size());  // what comes now is only passed over
        in_.make_room();
    }
    if (in_.room_size() == 0) return;  // until some of it was used
    reading_ = true;
    socket_.async_read_some(asio::buffer(in_.room(), in_.room_size()),
                            [self = shared_from_this()](const error_code& ec, std::size_t n) {
                                self->on_read(ec, n);
                                self->hub_.flush();
                            });
}

void Connection::on_read(const error_code& ec, std::size_t n) {
    reading_ = false;
    hub_.now = hub_.clock.mono();
    if (closed_) return;
    if (ec == asio::error::eof) {
        eof_ = true;
        const bool waiting = !exchanges_.empty() || !out_.empty() || writing_;
        const bool endless = std::any_of(exchanges_.begin(), exchanges_.end(),
                                         [](const ExchangePtr& e) { return e->endless_; });
        if (!waiting || endless || linger_until_ != kNever) return close();
        phase_ = Phase::deaf;
        return;
    }
    if (ec) return close();
    if (linger_until_ != kNever) {
        lingered_bytes_ += n;
        if (lingered_bytes_ > hub_.limits.linger_bytes) return close();
    }
    in_.came(n);
    process();
    account();
    if (phase_ == Phase::body && hub_.buffered > hub_.limits.buffered_bytes &&
        parser_->held_bytes() > kLargestBuffer) {
        refuse({503, "overloaded", "Too many large requests at once; try later.", Effect::none, 1});
    }
    read();
}

void Connection::process() {
    while (!closed_ && phase_ != Phase::deaf && exchanges_.size() < hub_.limits.pipelined &&
           out_.size() <= hub_.limits.backlog_bytes) {
        if (in_.empty() && phase_ != Phase::body) return;
        if (phase_ == Phase::idle) enter(Phase::header);
        std::size_t used = 0;
        const RequestParser::Step step = parser_->feed(in_.view(), used);
        if (step == RequestParser::Step::complete) on_complete();  // borrows from in_
        in_.use(used);
        if (step == RequestParser::Step::need_more) return;
        if (step == RequestParser::Step::failed) {
            if (early_) return refuse(*early_);
            const Malformed& why = parser_->malformed();
            return refuse({why.status, why.code, why.detail});
        }
        if (step == RequestParser::Step::header && !on_header()) return;
        if (step == RequestParser::Step::complete) {
            parser_->reset();
            if (in_.capacity() >= kLargestBuffer) in_.shrink();
            if (phase_ == Phase::body) enter(Phase::idle);
        }
    }
}

/// False: the connection ends here, the body is not waited for.
bool Connection::on_header() {
    fresh_ = false;
    enter(Phase::body);
    const Request& request = parser_->request();
    early_ = check(request, match_);
    const bool body = parser_->has_body();
    const bool waits = body && request.count("Expect") > 0 && !request.http_1_0;
    if (early_ && waits) return refuse(*early_), false;
    parser_->limit_body(early_ ? kPassedOverBody : match_.route->body_bytes);
    if (waits && in_.empty()) {
        want_continue_ = true;
        mark_dirty();
    }
    return true;
}

std::optional<Problem> Connection::check(const Request& request, Router::Match& match) {
    match = {};
    const std::size_t hosts = request.count("Host");
    const auto host = request.field("Host");
    if (hosts > 1 || (hosts == 0 && !request.http_1_0)) {
        return Problem{400, "bad_host", "Send exactly one Host field."};
    }
    if (host && !hub_.hosts.allows(*host)) {
        return Problem{421, "unknown_host",
                       "This server does not go by that name; add it to http.allowed_hosts."};
    }
    const auto origin = request.field("Origin");
    if (origin && (request.count("Origin") > 1 || !hub_.hosts.allows_origin(*origin))) {
        return Problem{403, "foreign_origin", "Pages of other sites may not call this server."};
    }
    std::string_view path = request.path;
    if (path.starts_with("http://")) {
        const std::size_t slash = path.find('/', 7);
        if (!hub_.hosts.allows(path.substr(7, slash == path.npos ? slash : slash - 7))) {
            return Problem{421, "unknown_host", "This server does not go by that name."};
        }
        path = slash == path.npos ? "/" : path.substr(slash);
    }
    const auto expect = request.field("Expect");
    if (expect && !equals_ignoring_case(*expect, "100-continue")) {
        return Problem{417, "expectation_failed", "Only Expect: 100-continue is understood."};
    }
    match = hub_.router.find(request.method, path);
    if (match.route) return std::nullopt;
    if (match.bad_escape) {
        return Problem{400, "bad_target", "The path has a malformed percent-encoding."};
    }
    if (match.allow.empty()) {
        return Problem{404, "no_such_path", "There is no such path; /openapi.json lists all."};
    }
    return Problem{405,
                   "method_not_allowed",
                   "This path takes " + match.allow + ".",
                   Effect::none,
                   std::nullopt,
                   "",
                   "Allow: " + match.allow + "\r\n"};
}

void Connection::on_complete() {
    const Request& request = parser_->request();
    want_continue_ = false;
    auto exchange = std::make_shared<Exchange>(*this, request, match_.route, hub_.now);
    exchanges_.push_back(exchange);
    if (!request.keep_alive) phase_ = Phase::deaf;
    if (early_) return exchange->fail(*early_);
    if (hub_.stopping) {
        return exchange->fail({503, "stopping",
                               "The server is stopping; ask again, with the same "
                               "id.",
                               Effect::none, 1});
    }
    try {
        match_.route->handler(exchange, request, match_.parameters);
    } catch (const std::exception&) {
        // Out of memory, or a bug of ours: nothing was submitted before the handler ended.
        exchange->fail({500, "internal", "The request could not be handled."});
    }
}

void Connection::refuse(Problem problem) {
    phase_ = Phase::deaf;
    auto exchange = std::make_shared<Exchange>(*this, parser_->request(), nullptr, hub_.now);
    exchanges_.push_back(exchange);
    Response response = to_response(problem);
    response.close = true;
    exchange->respond(std::move(response));
}

void Connection::on_answered(Exchange&) {
    release_ready();
    mark_dirty();
}

void Connection::release_ready() {
    while (!exchanges_.empty()) {
        Exchange& front = *exchanges_.front();
        if (!front.bytes_.empty()) {
            if (out_.empty()) {
                out_.swap(front.bytes_);
            } else {
                out_ += front.bytes_;
                front.bytes_.clear();
            }
        }
        if (!front.done_) return;
        last_ = last_ || !front.keep_alive_;
        if (front.streaming_) hub_.metrics.streams(--hub_.streams);
        front.connection_ = nullptr;
        exchanges_.pop_front();
        if (last_) break;
    }
    if (last_) {
        phase_ = Phase::deaf;
        for (const ExchangePtr& exchange : exchanges_) {
            if (exchange->streaming_) hub_.metrics.streams(--hub_.streams);
            exchange->connection_ = nullptr;
        }
        exchanges_.clear();
    } else if (phase_ == Phase::idle) {
        since_ = hub_.now;
    }
}

void Connection::mark_dirty() {
    if (dirty_ || closed_) return;
    dirty_ = true;
    hub_.dirty.push_back(shared_from_this());
}

void Connection::flush() {
    dirty_ = false;
    if (closed_ || writing_) return;
    if (want_continue_ && exchanges_.empty()) {
        want_continue_ = false;
        out_ += kContinue;
    }
    if (!out_.empty()) {
        error_code ec;
        const std::size_t n = socket_.write_some(asio::buffer(out_), ec);
        if (ec && ec != asio::error::would_block && ec != asio::error::try_again) return close();
        if (n < out_.size()) {
            sending_.swap(out_);
            sent_ = n;
            write_blocked_ = hub_.now;
            return start_write();
        }
        release(out_);
    }
    on_written();
    account();
}

void Connection::start_write() {
    writing_ = true;
    socket_.async_write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_),
                             [self = shared_from_this()](const error_code& ec, std::size_t n) {
                                 self->writing_ = false;
                                 self->hub_.now = self->hub_.clock.mono();
                                 if (self->closed_) return;
                                 if (ec) return self->close();
                                 self->sent_ += n;
                                 if (self->sent_ < self->sending_.size()) {
                                     return self->start_write();
                                 }
                                 release(self->sending_);
                                 self->write_blocked_ = kNever;
                                 self->mark_dirty();
                                 self->hub_.flush();
                             });
}

/// Everything that was ready has left.
void Connection::on_written() {
    if (last_) return linger();
    if (!exchanges_.empty() && exchanges_.front()->streaming_ && exchanges_.front()->wants_more_) {
        const ExchangePtr front = exchanges_.front();
        front->wants_more_ = false;
        // Copied: it may end the exchange, and itself with it.
        if (const auto more = front->more_) more();
    }
    if (closed_ || dirty_) return;  // there is something again
    if (eof_ && exchanges_.empty()) return close();
    process();
    if (!dirty_) read();
}

/// The client may still be sending: ending at once could take the answer from it (RFC 9112, 9.6).
void Connection::linger() {
    if (linger_until_ != kNever) return;
    if (eof_) return close();
    error_code ec;
    socket_.shutdown(Socket::shutdown_send, ec);
    if (ec) return close();
    linger_until_ = hub_.now + hub_.limits.linger;
    phase_ = Phase::deaf;
    read();
}

void Connection::close() {
    if (closed_) return;
    closed_ = true;
    for (const ExchangePtr& exchange : exchanges_) {
        if (exchange->streaming_) hub_.metrics.streams(--hub_.streams);
        exchange->connection_ = nullptr;
        exchange->late_ = nullptr;
        exchange->more_ = nullptr;
    }
    exchanges_.clear();
    error_code ec;
    socket_.close(ec);
    hub_.buffered -= accounted_;
    accounted_ = 0;
}

void Connection::wind_up(MonoTime late) {
    for (const ExchangePtr& exchange : exchanges_) {
        exchange->deadline_ = std::min(exchange->deadline_, late);
    }
    const bool nothing = exchanges_.empty() && out_.empty() && !writing_;
    if (nothing && (phase_ == Phase::idle || phase_ == Phase::header)) close();
}

void Connection::check_times() {
    const HttpLimits& limits = hub_.limits;
    const MonoTime now = hub_.now;
    if (write_blocked_ != kNever && now - write_blocked_ > limits.write) return close();
    if (linger_until_ != kNever && now > linger_until_) return close();
    const std::vector<ExchangePtr> pending(exchanges_.begin(), exchanges_.end());
    for (const ExchangePtr& exchange : pending) {
        if (exchange->over() || exchange->deadline_ > now || !exchange->late_) continue;
        exchange->deadline_ = kNever;
        const auto late = std::move(exchange->late_);
        exchange->late_ = nullptr;
        late();
    }
    if (closed_) return;
    const auto here = now - since_;
    if (phase_ == Phase::idle && exchanges_.empty() && here > limits.idle) return close();
    if (phase_ == Phase::header && here > limits.header) {
        if (in_.empty()) return close();
        return refuse({408, "request_timeout", "The header did not come in time."});
    }
    const bool reads = exchanges_.size() < limits.pipelined && out_.empty();
    if (phase_ == Phase::body && reads && here > limits.body_grace) {
        const double wanted = std::chrono::duration<double>(here).count() *
                              static_cast<double>(limits.body_bytes_per_s);
        if (static_cast<double>(parser_->body_received()) < wanted) {
            return refuse({408, "request_timeout", "The body comes too slowly."});
        }
    }
}

Connection::Standing Connection::standing() const {
    if (closed_ || linger_until_ != kNever) return Standing::without_header;
    if (!exchanges_.empty() || phase_ == Phase::deaf) return Standing::answering;
    return phase_ == Phase::header ? Standing::without_header : Standing::idle_or_in_body;
}

void Connection::account() {
    const std::size_t held =
        closed_ ? 0
                : in_.capacity() + out_.capacity() + sending_.capacity() + parser_->held_bytes();
    hub_.buffered += held - accounted_;
    accounted_ = held;
}

}  // namespace penstock::http
