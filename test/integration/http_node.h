#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/edge/http/http_server.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/log/memory/memory_log.h"
#include "penstock/runtime/node.h"
#include "penstock/store/sqlite/sqlite_store.h"
#include "test/integration/http_client.h"

namespace penstock::test {

/// The real clock, which a test can put forward. Threads: any.
class ShiftedClock final : public Clock {
public:
    MonoTime mono() override { return system_env().clock.mono() + shift(); }
    LogTime wall() override {
        return system_env().clock.wall() +
               std::chrono::duration_cast<std::chrono::milliseconds>(shift());
    }
    void forward(std::chrono::milliseconds by) { shift_ms_ += by.count(); }

private:
    std::chrono::nanoseconds shift() const { return std::chrono::milliseconds(shift_ms_.load()); }
    std::atomic<std::int64_t> shift_ms_{0};
};

/// A node on a memory log, a SQLite file and the local gate, behind HTTP on a free port.
class HttpNode : public ::testing::Test {
protected:
    HttpNode();
    ~HttpNode() override;

    void start_http(http::HttpOptions options = {});
    void start_node(NodeOptions options = {});
    void stop();
    /// Both, and waits until the node is ready.
    void start_all();

    HttpClient connect() const { return HttpClient(server_->port()); }
    /// One request on a connection of its own.
    HttpAnswer ask(std::string_view method_and_path, std::string_view body = "",
                   std::string_view fields = "") const;
    void create_campaign(const std::string& id, const std::string& body);
    std::string directory() const { return directory_; }

    /// Holds the store's write lock: nothing is decided while it lives.
    std::unique_ptr<Session> stall_store();
    /// True when `condition` holds, asked again and again with a deadline.
    static bool eventually(const std::function<bool()>& condition);

    ShiftedClock clock_;  ///< of the server; the node has the real one
    Env env_;
    std::string directory_;
    http::Metrics metrics_;
    MemoryLogDisk disk_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<Log> log_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<http::HttpServer> server_;
};

boost::json::value json_of(const HttpAnswer& answer);
/// The member `code` of a problem, after checks that it is a whole one with this status.
std::string code_of(const HttpAnswer& answer);

}  // namespace penstock::test
