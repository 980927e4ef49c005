#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/edge/http/http_server.h"
#include "penstock/log/file/options.h"
#include "penstock/runtime/node.h"

namespace penstock {

class FileLog;
class LocalGate;
class SqliteStore;

/// Where the parts of a data directory stand.
struct DataDirectory {
    std::string root;
    std::string log() const { return root + "/log"; }
    std::string database() const { return root + "/penstock.db"; }
    std::string lock() const { return root + "/lock"; }
    std::string marker() const { return root + "/penstock-data"; }

    /// Makes it, or checks that it is ours; then holds it. in_use: another process has it. unsafe:
    /// it holds foreign files. too_new: of another version. io, read_only, no_space.
    Result<std::unique_ptr<FileLock>> open(FileSystem& files) const;
};

struct EmbeddedOptions {
    DataDirectory data;
    FileLogOptions log;  ///< directory and applied are filled in
    NodeOptions node;
    http::HttpOptions http;
    bool serve_http = true;
};

/// The embedded defaults in one process: log files, SQLite, a gate in memory, HTTP. The only place,
/// with verify's, that names them.
class Embedded {
public:
    /// Everything up to and with the start of the node; it turns ready by itself. `fatal` is called
    /// on any thread when the process cannot go on: end it with exit_code(error).
    static Result<std::unique_ptr<Embedded>> start(Env& env, EmbeddedOptions options,
                                                   std::function<void(const Error&)> fatal);
    ~Embedded();

    std::uint16_t port() const { return server_ ? server_->port() : 0; }
    Node& node() { return *node_; }
    /// Answers what is pending, then stops everything; late callers get unknown.
    void stop(MonoTime by);

private:
    class Observer;

    Embedded(Env& env, EmbeddedOptions options, std::function<void(const Error&)> fatal);
    Result<void> open_parts();

    Env& env_;
    EmbeddedOptions options_;
    const std::unique_ptr<Observer> observer_;
    std::unique_ptr<FileLock> lock_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<FileLog> log_;
    std::unique_ptr<LocalGate> gate_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<http::HttpServer> server_;
};

}  // namespace penstock
