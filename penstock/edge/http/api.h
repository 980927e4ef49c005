#pragma once

#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/edge/http/limits.h"
#include "penstock/edge/http/loop.h"
#include "penstock/edge/http/metrics.h"
#include "penstock/edge/http/router.h"
#include "penstock/gate/gate.h"
#include "penstock/log/log.h"
#include "penstock/runtime/node.h"

namespace penstock::http {

/// What the calls work with.
struct ApiParts {
    Env& env;
    Node& node;
    Log& log;
    Gate& gate;
    Metrics& metrics;
    Loop& loop;
    const HttpLimits& limits;
    std::string version;
};

/// All calls of the HTTP interface. Threads: the loop.
class Api {
public:
    virtual ~Api() = default;
    virtual void add_routes(Router& router) = 0;
    virtual void tick() = 0;  ///< now and then
};

std::unique_ptr<Api> make_api(ApiParts parts);

/// OpenAPI 3.1 description of every route, JSON.
std::string_view openapi_json();

}  // namespace penstock::http
