#pragma once

#include <functional>
#include <memory>

#include "penstock/base/env.h"
#include "penstock/edge/cli/config.h"
#include "penstock/edge/http/http_server.h"
#include "penstock/main/data_directory.h"
#include "penstock/runtime/node.h"

namespace penstock {

struct ProcessOptions {
    cli::Settings settings;
    NodeOptions node;
    http::HttpOptions http;
};

/// One process of Penstock: log, gate and store as the settings name them, a node on them, HTTP.
class Process {
public:
    /// Everything up to and with the start of the node; it turns ready by itself. `fatal` is called
    /// on any thread when the process cannot go on: end it with exit_code(error).
    static Result<std::unique_ptr<Process>> start(Env& env, ProcessOptions options,
                                                  std::function<void(const Error&)> fatal);
    ~Process();

    std::uint16_t port() const { return server_ ? server_->port() : 0; }
    Node& node() { return *node_; }
    /// Answers what is pending, then stops everything; late callers get unknown.
    void stop(MonoTime by);

private:
    class Observer;

    Process(Env& env, ProcessOptions options, std::function<void(const Error&)> fatal);
    Result<void> open_parts();

    Env& env_;
    ProcessOptions options_;
    const std::unique_ptr<Observer> observer_;
    std::unique_ptr<FileLock> lock_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Log> log_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<http::HttpServer> server_;
};

}  // namespace penstock
