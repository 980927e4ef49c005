#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/time.h"
#include "penstock/edge/http/response.h"
#include "penstock/edge/http/router.h"

namespace penstock::http {

class Connection;

/// One request that is being answered; its connection keeps the order. It outlives the connection
/// where somebody still works on it: then what it is told goes nowhere. Threads: the loop.
class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    Exchange(Connection& connection, const Request& request, const Route* route, MonoTime begun);

    /// Once, and nothing after it.
    void respond(Response response);
    void fail(const Problem& problem) { respond(to_response(problem)); }
    /// Answered, or nobody is there any more.
    bool over() const { return done_ || connection_ == nullptr; }
    bool gone() const { return connection_ == nullptr; }

    /// An answer in pieces: `more` is called when the last piece has left and there is room.
    /// False: too many streams already, and the exchange has answered that.
    bool stream(Response head, std::function<void()> more);
    void write(std::string_view bytes);  ///< one piece, not empty
    void end_stream();
    /// Ends the connection in the middle: what came cannot be taken for the whole.
    void abort_stream();

    /// `late` is called once if the exchange is not over by then.
    void at_deadline(MonoTime deadline, std::function<void()> late);

private:
    friend class Connection;
    void finish(int status);

    Connection* connection_;
    const Route* const route_;
    const MonoTime begun_;
    const bool http_1_0_;
    const bool head_only_;
    bool keep_alive_;
    bool done_ = false;
    bool streaming_ = false;
    bool endless_ = false;  ///< ends when the client goes
    bool wants_more_ = false;
    std::string bytes_;  ///< of the answer, while others must be sent before it
    std::function<void()> more_;
    MonoTime deadline_ = kNever;
    std::function<void()> late_;
    int status_ = 0;
};

}  // namespace penstock::http
