#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "penstock/edge/http/limits.h"
#include "penstock/edge/http/request.h"

namespace penstock::http {

/// Why a request cannot be read.
struct Malformed {
    int status = 400;
    const char* code = "bad_request";
    const char* detail = "";
};

/// Reads the requests of one connection, one after the other. The seam behind which the HTTP
/// grammar stands: whoever implements it is strict (no folded lines, no length beside chunked, no
/// transfer coding but chunked) and bounded by the limits. Threads: one.
class RequestParser {
public:
    enum class Step {
        need_more,
        header,    ///< request() has all but the body; feed again for the body
        complete,  ///< request() is whole; reset() before the next
        failed,    ///< malformed() says why; the connection cannot go on
    };
    virtual ~RequestParser() = default;
    /// `input` begins where the last call stopped using it. The same result however it is cut.
    /// The body may borrow from `input`, everything else is kept until reset().
    virtual Step feed(std::string_view input, std::size_t& used) = 0;
    virtual const Request& request() const = 0;
    virtual const Malformed& malformed() const = 0;
    /// Between `header` and the body: more than this is 413.
    virtual void limit_body(std::size_t bytes) = 0;
    virtual bool has_body() const = 0;
    virtual std::size_t body_received() const = 0;  ///< bytes, decoded
    virtual std::size_t held_bytes() const = 0;     ///< memory
    virtual void reset() = 0;
};

std::unique_ptr<RequestParser> make_beast_parser(const HttpLimits& limits);

}  // namespace penstock::http
