#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/result.h"
#include "penstock/edge/http/limits.h"
#include "penstock/edge/http/metrics.h"
#include "penstock/gate/gate.h"
#include "penstock/log/log.h"
#include "penstock/runtime/node.h"

namespace penstock::http {

struct HttpOptions {
    std::string listen = "127.0.0.1:8080";  ///< 127.0.0.1, [::1] or localhost; port 0: a free one
    std::optional<std::string> unix_path;   ///< a socket beside it
    std::vector<std::string> allowed_hosts;
    std::string version = "0.1.0";
    HttpLimits limits;
};

/// The HTTP face of a node. Begin it before the node starts: it answers 503 until the node is
/// ready. Everything given to it outlives it. Threads: start() and stop() one; the server has its
/// own.
class HttpServer {
public:
    virtual ~HttpServer() = default;
    /// unsafe: an address beyond this host. unreachable: the port or path is taken. invalid: not an
    /// address.
    static Result<std::unique_ptr<HttpServer>> start(HttpOptions, Env&, Node&, Log&, Gate&,
                                                     Metrics&);
    /// Takes no new connection and no new request, answers what is pending (late ones: 202 or 504
    /// with the place where to ask), ends. Call it before the node's stop; it
    /// may be destroyed before or after that. Idempotent.
    virtual void stop(MonoTime by) = 0;
    virtual std::uint16_t port() const = 0;
};

}  // namespace penstock::http
