#include "test/kit/sim_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::test {
namespace {

Error no_such(const std::string& path) {
    return error(Code::not_found, fmt::format("no such file: {}", path));
}

std::string clean(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

}  // namespace

class SimFiles::SimFile final : public File {
public:
    SimFile(SimFiles& files, std::uint64_t node, std::string path, std::uint64_t life, bool writes)
        : files_(files), node_(node), path_(std::move(path)), life_(life), writes_(writes) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
        files_.before();
        const MutexLock lock(files_.mutex_);
        if (life_ != files_.life_) return dead();
        return files_.disk_.node(node_).content.read(offset, into);
    }
    Result<void> write(std::uint64_t offset, Bytes bytes) override {
        return change({DiskOp::write, node_, path_, "", offset, std::string(as_text(bytes))});
    }
    Result<std::uint64_t> size() override {
        const MutexLock lock(files_.mutex_);
        if (life_ != files_.life_) return dead();
        return files_.disk_.node(node_).content.size();
    }
    Result<void> truncate(std::uint64_t size) override {
        return change({DiskOp::truncate, node_, path_, "", size, ""});
    }
    Result<void> sync() override { return change({DiskOp::sync, node_, path_, "", 0, ""}); }

private:
    Error dead() const {
        return error(Code::io, fmt::format("{}: the power was cut since it was opened", path_));
    }
    Result<void> change(DiskStep step) {
        files_.before();
        const MutexLock lock(files_.mutex_);
        if (life_ != files_.life_) return dead();
        if (!writes_ && step.op != DiskOp::sync) {
            return error(Code::io, fmt::format("{} is open for reading only", path_));
        }
        return files_.perform(std::move(step));
    }

    SimFiles& files_;
    const std::uint64_t node_;
    const std::string path_;
    const std::uint64_t life_;
    const bool writes_;
};

class SimFiles::SimLock final : public FileLock {
public:
    SimLock(SimFiles& files, std::string path, std::uint64_t life)
        : files_(files), path_(std::move(path)), life_(life) {}
    ~SimLock() override {
        const MutexLock lock(files_.mutex_);
        if (life_ == files_.life_) files_.locks_.erase(path_);
    }

private:
    SimFiles& files_;
    const std::string path_;
    const std::uint64_t life_;
};

const DiskFault* SimFiles::fault_for(const DiskStep& step) {
    const DiskFault* hit = nullptr;
    for (Injected& injected : faults_) {
        const DiskFault& fault = injected.fault;
        if (fault.op != step.op || step.path.find(fault.path_contains) == std::string::npos) {
            continue;
        }
        ++injected.seen;
        if (injected.seen == fault.at || (fault.for_ever && injected.seen > fault.at)) {
            hit = &fault;
        }
    }
    if (hit != nullptr) ++faults_hit_;
    return hit;
}

std::uint64_t SimFiles::free_now() {
    const std::uint64_t used = disk_.used_bytes();
    return used >= capacity_ ? 0 : capacity_ - used;
}

Result<void> SimFiles::perform(DiskStep step) {
    ++counts_[static_cast<std::size_t>(step.op)];
    std::optional<Error> failure;
    if (const DiskFault* fault = fault_for(step)) {
        failure = error(fault->code, fmt::format("{}: injected fault", step.path));
        if (step.op != DiskOp::write) return *failure;
        step.data.resize(std::min(step.data.size(), fault->written));
    }
    if (step.op == DiskOp::write) {
        const std::uint64_t size = disk_.node(step.node).content.size();
        const std::uint64_t end = step.offset + step.data.size();
        if (end > size && end - size > free_now()) {
            failure = error(Code::no_space, fmt::format("{}: the disk is full", step.path));
            const std::uint64_t room = size + free_now();
            step.data.resize(room > step.offset ? room - step.offset : 0);
        }
    }
    const bool is_sync = step.op == DiskOp::sync || step.op == DiskOp::sync_directory;
    if (!(is_sync && lies_)) {
        replay(disk_, step);
        if (traces_) trace_.push_back(std::move(step));
    }
    if (failure) return *failure;
    return {};
}

void SimFiles::replay(SimDisk& disk, const DiskStep& step) {
    switch (step.op) {
        case DiskOp::create:
            disk.create(step.path, false);
            break;
        case DiskOp::make_directory:
            disk.create(step.path, true);
            break;
        case DiskOp::write:
            if (!step.data.empty()) {
                disk.node(step.node).content.write(step.offset, as_bytes(step.data));
            }
            break;
        case DiskOp::truncate:
            disk.node(step.node).content.truncate(step.offset);
            break;
        case DiskOp::sync:
            disk.node(step.node).content.sync();
            break;
        case DiskOp::rename:
            disk.rename(step.path, step.to);
            break;
        case DiskOp::remove:
            disk.remove(step.path);
            break;
        case DiskOp::sync_directory:
            disk.sync_directory(step.path);
            break;
    }
}

Result<std::unique_ptr<File>> SimFiles::open(const std::string& path, OpenMode mode) {
    before();
    const MutexLock lock(mutex_);
    if (!disk_.find(path)) {
        if (mode != OpenMode::create) return no_such(path);
        const std::string parent = parent_path(path);
        if (parent != "/" && parent != "." && !disk_.find(parent)) return no_such(parent);
        PENSTOCK_TRY(perform({DiskOp::create, 0, path, "", 0, ""}));
    }
    const std::uint64_t node = *disk_.find(path);
    if (disk_.node(node).directory) {
        return error(Code::io, fmt::format("{} is a directory", path));
    }
    return std::unique_ptr<File>(
        std::make_unique<SimFile>(*this, node, path, life_, mode != OpenMode::read));
}

Result<void> SimFiles::rename(const std::string& from, const std::string& to) {
    before();
    const MutexLock lock(mutex_);
    if (!disk_.find(from)) return no_such(from);
    return perform({DiskOp::rename, *disk_.find(from), from, to, 0, ""});
}

Result<void> SimFiles::remove(const std::string& path) {
    before();
    const MutexLock lock(mutex_);
    if (!disk_.find(path)) return no_such(path);
    if (!disk_.list(path).empty()) {
        return error(Code::io, fmt::format("{} is not empty", path));
    }
    return perform({DiskOp::remove, *disk_.find(path), path, "", 0, ""});
}

Result<std::vector<std::string>> SimFiles::list(const std::string& directory) {
    before();
    const MutexLock lock(mutex_);
    const std::string path = clean(directory);
    if (path != "/" && path != "." && !disk_.find(path)) return no_such(path);
    return disk_.list(path);
}

Result<void> SimFiles::make_directory(const std::string& directory) {
    const std::string path = clean(directory);
    if (path == "/" || path == "." || exists(path)) return {};
    const std::string parent = parent_path(path);
    PENSTOCK_TRY(make_directory(parent));
    before();
    {
        const MutexLock lock(mutex_);
        if (!disk_.find(path)) PENSTOCK_TRY(perform({DiskOp::make_directory, 0, path, "", 0, ""}));
    }
    return sync_directory(parent);
}

Result<void> SimFiles::sync_directory(const std::string& directory) {
    before();
    const MutexLock lock(mutex_);
    return perform({DiskOp::sync_directory, 0, clean(directory), "", 0, ""});
}

bool SimFiles::exists(const std::string& path) {
    const MutexLock lock(mutex_);
    return path == "/" || path == "." || disk_.find(clean(path)).has_value();
}

Result<std::uint64_t> SimFiles::free_bytes(const std::string&) {
    const MutexLock lock(mutex_);
    return free_now();
}

Result<std::unique_ptr<FileLock>> SimFiles::lock(const std::string& path) {
    before();
    const MutexLock lock(mutex_);
    if (!locks_.insert(path).second) {
        return error(Code::in_use, fmt::format("{} is held by another process", path));
    }
    auto held = std::make_unique<SimLock>(*this, path, life_);
    if (!disk_.find(path)) (void)perform({DiskOp::create, 0, path, "", 0, ""});
    return std::unique_ptr<FileLock>(std::move(held));
}

void SimFiles::crash_keeping(const std::function<bool(const Unsynced&)>& keep) {
    const MutexLock lock(mutex_);
    ++life_;
    locks_.clear();
    disk_.cut_power(keep);
}

void SimFiles::crash_keeping_nothing() {
    crash_keeping([](const Unsynced&) { return false; });
}

void SimFiles::crash_keeping_all() {
    crash_keeping([](const Unsynced&) { return true; });
}

void SimFiles::crash(Random& random) {
    // Each power cut has a rate of its own: nearly nothing, about half or nearly all was written.
    const std::uint64_t in_16 = std::array<std::uint64_t, 4>{0, 2, 8, 14}[random.next() % 4];
    crash_keeping([&](const Unsynced&) { return random.next() % 16 < in_16; });
}

std::vector<Unsynced> SimFiles::unsynced() {
    const MutexLock lock(mutex_);
    return disk_.unsynced();
}

SimDisk SimFiles::snapshot() {
    const MutexLock lock(mutex_);
    return disk_;
}

void SimFiles::start_trace() {
    const MutexLock lock(mutex_);
    traces_ = true;
    trace_.clear();
}

std::vector<DiskStep> SimFiles::trace() {
    const MutexLock lock(mutex_);
    return trace_;
}

void SimFiles::inject(DiskFault fault) {
    const MutexLock lock(mutex_);
    faults_.push_back({std::move(fault), 0});
}

void SimFiles::clear_faults() {
    const MutexLock lock(mutex_);
    faults_.clear();
}

std::uint64_t SimFiles::faults_hit() {
    const MutexLock lock(mutex_);
    return faults_hit_;
}

std::uint64_t SimFiles::count(DiskOp op) {
    const MutexLock lock(mutex_);
    return counts_[static_cast<std::size_t>(op)];
}

void SimFiles::lie(bool lies) {
    const MutexLock lock(mutex_);
    lies_ = lies;
}

void SimFiles::set_capacity(std::uint64_t bytes) {
    const MutexLock lock(mutex_);
    capacity_ = bytes;
}

}  // namespace penstock::test
