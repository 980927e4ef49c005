#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/gate/local/local_gate.h"
#include "penstock/log/memory/memory_log.h"
#include "penstock/runtime/node.h"
#include "penstock/store/sqlite/sqlite_store.h"
#include "test/sim/claims.h"
#include "test/sim/inbox.h"
#include "test/sim/world.h"

namespace penstock::test {

struct MachineOptions {
    std::uint64_t seed = 1;
    bool file_log = false;
    NodeOptions node;
    std::chrono::nanoseconds log_sync_time = std::chrono::microseconds(200);
    std::uint64_t segment_bytes = 256 * 1024;  ///< of the file log
    std::uint32_t checkpoint_pages = 200;      ///< of the store
    /// False: commits return before they are durable, which a test must find.
    bool store_is_durable = true;
};

/// A machine with its disk, and at most one process of ours on it, in simulated time on one
/// thread. Everything but run() and cut_power() is called from inside run().
class Machine {
public:
    explicit Machine(MachineOptions options = {});
    ~Machine();

    /// Runs `body` as the first fiber until it returns or the power fails; what it started stays as
    /// it is meanwhile and goes on in the next run().
    void run(const std::function<void()>& body);
    /// Every fiber ends where it stands; what was not durable is gone, or torn.
    void cut_power();

    /// Starts the process and waits until it is ready. False: it did not start, see failure().
    bool boot();
    /// Graceful.
    void shut_down(std::chrono::seconds patience = std::chrono::seconds(20));
    bool is_up() const { return process_ != nullptr; }
    const std::string& failure() const { return failure_; }

    /// Put between the node and the real log from the next boot on.
    void wrap_log(std::function<std::unique_ptr<Log>(Log&)> wrap) { wrap_log_ = std::move(wrap); }
    void observe(RuntimeObserver* observer) { observer_ = observer; }

    std::uint64_t submit(const Made& made);
    std::uint64_t submit(const ClaimForm& claim) { return submit(Made(claim, now())); }
    Answered wait(std::uint64_t tag);
    Answered ask(const Made& made) { return wait(submit(made)); }
    Answered ask(const ClaimForm& claim) { return wait(submit(claim)); }
    /// Again while units may come back or nobody can know yet.
    Answered ask_until_final(const ClaimForm& claim);
    Answered look_up(const std::string& id);
    /// Appends its record past requester and gate, as a foreign producer would.
    void produce(const ClaimForm& claim);
    void create(const std::string& campaign, const sale::Campaign& body);

    /// What the independent model finds wrong.
    std::vector<std::string> verify();

    void sleep(std::chrono::nanoseconds time);
    /// False: it did not come true within ten simulated minutes.
    bool until(const std::function<bool()>& condition);
    LogTime now();

    World& world() { return world_; }
    Inbox& inbox() { return inbox_; }
    /// What the log said when it could not go on: the process would have ended with it (74).
    const std::optional<Error>& fatal() const { return fatal_; }
    Node& node();
    Log& log();
    LocalGate& gate();
    SqliteStore& store();

private:
    struct Process;

    Result<void> start(Process& process);
    Result<void> open_log(Process& process);

    const MachineOptions options_;
    World world_;
    const std::unique_ptr<MemoryLogDisk> log_disk_;
    Inbox inbox_;
    RuntimeObserver quiet_;
    RuntimeObserver* observer_ = &quiet_;
    std::function<std::unique_ptr<Log>(Log&)> wrap_log_;
    std::string failure_;
    std::optional<Error> fatal_;
    std::shared_ptr<Process> process_;
};

}  // namespace penstock::test
