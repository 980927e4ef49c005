#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "penstock/base/files.h"
#include "penstock/base/guarded.h"
#include "penstock/base/random.h"
#include "test/kit/sim_disk.h"

namespace penstock::test {

enum class DiskOp : std::uint8_t {
    create,  // a name
    write,
    truncate,
    sync,
    rename,
    remove,
    make_directory,
    sync_directory,
};
inline constexpr std::size_t kDiskOps = 8;

/// One thing that a program did to the disk. Enough to do it again on a copy.
struct DiskStep {
    DiskOp op;
    std::uint64_t node = 0;
    std::string path, to;
    std::uint64_t offset = 0;  ///< or size, for truncate
    std::string data;
};

/// From the `at`-th operation of a kind on, counted from when it was injected (1: the next).
struct DiskFault {
    DiskOp op = DiskOp::sync;
    std::uint64_t at = 1;
    bool for_ever = false;
    Code code = Code::io;
    std::size_t written = 0;         ///< of a failing write: bytes that get there nevertheless
    std::string path_contains = {};  ///< only files whose path contains it
};

/// A file system in memory that forgets as a disk does: a write is visible at once and durable
/// after sync() of its file, a name after sync_directory() of its directory. A file that was open
/// at a power cut answers io for ever. Threads: any.
class SimFiles final : public FileSystem {
public:
    SimFiles() = default;
    /// Starts with this disk, as the machine does after a power cut.
    explicit SimFiles(SimDisk disk) : disk_(std::move(disk)) {}

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> make_directory(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    bool exists(const std::string& path) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

    /// The power fails. What was not synced is lost, kept, or a random part of it is kept.
    void crash_keeping_nothing();
    void crash_keeping_all();
    void crash(Random& random);
    void crash_keeping(const std::function<bool(const Unsynced&)>& keep);
    std::vector<Unsynced> unsynced();

    SimDisk snapshot();
    /// The operations since, to rebuild the disk as it was after each: start from the snapshot of
    /// the same moment.
    void start_trace();
    std::vector<DiskStep> trace();
    static void replay(SimDisk& disk, const DiskStep& step);

    void inject(DiskFault fault);
    void clear_faults();
    std::uint64_t faults_hit();
    std::uint64_t count(DiskOp op);
    /// Syncs of files and directories say OK and do nothing: a disk that must be caught.
    void lie(bool lies);
    void set_capacity(std::uint64_t bytes);
    /// Called before every operation, outside every lock: a fiber scheduler switches here.
    /// Set it before anybody uses the files.
    void set_yield(std::function<void()> yield) { yield_ = std::move(yield); }

private:
    class SimFile;
    class SimLock;
    struct Injected {
        DiskFault fault;
        std::uint64_t seen = 0;
    };

    void before() {
        if (yield_) yield_();
    }
    /// The disk's answer to a step: a fault, or it is done.
    Result<void> perform(DiskStep step) REQUIRES(mutex_);
    const DiskFault* fault_for(const DiskStep& step) REQUIRES(mutex_);
    std::uint64_t free_now() REQUIRES(mutex_);

    std::function<void()> yield_;
    Mutex mutex_;
    SimDisk disk_ GUARDED_BY(mutex_);
    std::uint64_t life_ GUARDED_BY(mutex_) = 0;  // power cuts so far
    std::set<std::string> locks_ GUARDED_BY(mutex_);
    std::vector<Injected> faults_ GUARDED_BY(mutex_);
    std::uint64_t faults_hit_ GUARDED_BY(mutex_) = 0;
    std::array<std::uint64_t, kDiskOps> counts_ GUARDED_BY(mutex_){};
    bool lies_ GUARDED_BY(mutex_) = false;
    std::uint64_t capacity_ GUARDED_BY(mutex_) = std::uint64_t{1} << 40;
    bool traces_ GUARDED_BY(mutex_) = false;
    std::vector<DiskStep> trace_ GUARDED_BY(mutex_);
};

}  // namespace penstock::test
