#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "penstock/apps/sale/sale.h"
#include "penstock/base/env.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/runtime/node.h"
#include "penstock/store/sqlite/sqlite_store.h"
#include "test/kit/temp_dir.h"

namespace penstock::test {

/// A claim to make; an id is made up where there is none.
struct Asking {
    std::string campaign;
    std::string user;
    std::uint32_t quantity = 1;
    std::string id;
    std::optional<LogTime> deadline;
};

/// A claim and its answer.
struct Asked {
    Asking claim;
    Answered answer;
    std::chrono::nanoseconds took{};  ///< of ask_many() with `timed`

    /// "granted", a refusal's reason, "id_reused", "id_too_old", or "error".
    std::string word() const;
    const Done* done() const;        ///< null if not granted
    std::string reply() const;       ///< bytes of the reply; empty if not granted
    std::uint64_t position() const;  ///< 0 if not granted
};

struct AskingMany {
    std::string campaign;
    std::size_t claims = 0;
    std::size_t callers = 1;       ///< claims in flight
    std::size_t repeat_every = 0;  ///< each so many-th claim repeats an earlier one; 0: none
    bool timed = false;
};

struct SaleNodeOptions {
    bool file_log = false;
    NodeOptions node;
};

/// The runtime on an embedded log, a SQLite file and the local gate, in a directory of its own,
/// without HTTP. Threads: ask() any.
class SaleNode {
public:
    explicit SaleNode(SaleNodeOptions options = {});
    ~SaleNode();

    /// Stops and starts again on the same directory.
    void restart();
    void create_campaign(const std::string& id, const sale::Campaign& campaign);
    Asked ask(Asking claim);
    /// Asks again while units may come back (none_free, not_enough).
    Asked ask_until_final(Asking claim);
    /// From one thread, `callers` at a time, each user once.
    std::vector<Asked> ask_many(const AskingMany& many);
    void ask_many(const AskingMany& many, const std::function<void(Asked)>& take);
    /// Stock, grants and gate agree on so many units, positions have no gap.
    void expect_exact(const std::string& campaign, std::uint64_t units);

    Node& node() { return *node_; }
    Gate& gate() { return *gate_; }
    Store& store() { return *store_; }
    Log& log() { return *log_; }

private:
    void start();
    void stop();

    const SaleNodeOptions options_;
    TempDir directory_;
    RuntimeObserver observer_;
    std::unique_ptr<Log> log_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<Node> node_;
};

}  // namespace penstock::test
