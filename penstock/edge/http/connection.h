#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/edge/http/exchange.h"
#include "penstock/edge/http/limits.h"
#include "penstock/edge/http/metrics.h"
#include "penstock/edge/http/parser.h"
#include "penstock/edge/http/target.h"

namespace penstock::http {

class Connection;
using ConnectionPtr = std::shared_ptr<Connection>;

/// What all connections of the loop share.
struct Hub {
    const HttpLimits& limits;
    Clock& clock;
    const Router& router;
    const HostList& hosts;
    Metrics& metrics;
    MonoTime now{};
    std::string date{};  ///< header line, renewed by the tick
    std::size_t buffered = 0;
    std::size_t streams = 0;
    bool stopping = false;
    std::vector<ConnectionPtr> dirty{};  ///< have something to send

    void flush();  ///< at the end of every turn
};

/// Bytes that came and were not used yet.
class InputBuffer {
public:
    std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    std::size_t capacity() const { return bytes_.size(); }
    void use(std::size_t n);
    void came(std::size_t n) { end_ += n; }
    char* room() { return bytes_.data() + end_; }
    std::size_t room_size() const { return bytes_.size() - end_; }
    void make_room();
    void shrink();

private:
    std::vector<char> bytes_;
    std::size_t begin_ = 0, end_ = 0;
};

/// A client's connection: reads requests, keeps their answers in order, writes what is ready in
/// one piece. Lives in a shared_ptr because every pending read or write holds it.
/// Threads: the loop.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    using Socket = boost::asio::generic::stream_protocol::socket;

    Connection(Socket socket, Hub& hub);
    ~Connection();
    void start();
    void check_times();
    void flush();
    void close();
    /// No further request is taken; ends when what is pending is answered, at `late` at the latest.
    void wind_up(MonoTime late);
    bool closed() const { return closed_; }
    /// Whom to end first when there are too many, the later the dearer; the oldest of its kind.
    enum class Standing : std::uint8_t { without_header, idle_or_in_body, answering };
    Standing standing() const;
    MonoTime since() const { return since_; }  ///< in this standing

    std::size_t place = 0;  ///< in the server's list

private:
    friend class Exchange;
    enum class Phase : std::uint8_t {
        idle,    ///< between requests
        header,  ///< a new connection, or in the middle of a header
        body,
        deaf,  ///< nothing more is read as requests
    };

    void read();
    void on_read(const boost::system::error_code& ec, std::size_t n);
    void process();
    bool on_header();
    void on_complete();
    std::optional<Problem> check(const Request& request, Router::Match& match);
    bool expects_continue(const Request& request) const;
    void refuse(Problem problem);
    void on_answered(Exchange& exchange);
    void release_ready();
    void mark_dirty();
    void start_write();
    void on_written();
    void linger();
    void account();
    void enter(Phase phase);
    HeadOptions head_options(const Exchange& exchange) const;

    Socket socket_;
    Hub& hub_;
    std::unique_ptr<RequestParser> parser_;
    InputBuffer in_;
    std::string out_;      ///< to send next
    std::string sending_;  ///< being sent
    std::size_t sent_ = 0;
    std::deque<ExchangePtr> exchanges_;
    Router::Match match_;
    std::optional<Problem> early_;  ///< the answer is known, the body is only passed over
    Phase phase_ = Phase::header;
    MonoTime since_;                   ///< in this phase
    MonoTime write_blocked_ = kNever;  ///< since then
    MonoTime linger_until_ = kNever;
    std::size_t lingered_bytes_ = 0;
    std::size_t accounted_ = 0;
    bool reading_ = false, writing_ = false, dirty_ = false, closed_ = false;
    bool eof_ = false;   ///< the client sends no more, but may still read
    bool last_ = false;  ///< after what is in out_ the connection ends
    bool want_continue_ = false;
    bool fresh_ = true;  ///< no request has come yet
};

}  // namespace penstock::http
