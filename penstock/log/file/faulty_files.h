#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "penstock/base/files.h"

// Tests only.
namespace penstock::logfile {

enum class FileOp : std::uint8_t { write, sync, sync_directory, rename, read, free_bytes };

/// Real files with faults: `before` is asked before each operation and may answer it with an
/// error. Threads: any; `before` must be safe for that.
class FaultyFiles final : public FileSystem {
public:
    using Before = std::function<std::optional<Error>(FileOp, const std::string& path)>;

    FaultyFiles(FileSystem& below, Before before) : below_(below), before_(std::move(before)) {}

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
        auto file = below_.open(path, mode);
        if (!file) return file;
        return std::unique_ptr<File>(std::make_unique<FaultyFile>(*this, std::move(*file), path));
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        if (auto fault = before_(FileOp::rename, from)) return *fault;
        return below_.rename(from, to);
    }
    Result<void> remove(const std::string& path) override { return below_.remove(path); }
    Result<std::vector<std::string>> list(const std::string& directory) override {
        return below_.list(directory);
    }
    Result<void> make_directory(const std::string& path) override {
        return below_.make_directory(path);
    }
    Result<void> sync_directory(const std::string& path) override {
        if (auto fault = before_(FileOp::sync_directory, path)) return *fault;
        return below_.sync_directory(path);
    }
    bool exists(const std::string& path) override { return below_.exists(path); }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        if (auto fault = before_(FileOp::free_bytes, path)) return *fault;
        return below_.free_bytes(path);
    }
    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
        return below_.lock(path);
    }

private:
    class FaultyFile final : public File {
    public:
        FaultyFile(FaultyFiles& files, std::unique_ptr<File> below, std::string path)
            : files_(files), below_(std::move(below)), path_(std::move(path)) {}
        Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
            if (auto fault = files_.before_(FileOp::read, path_)) return *fault;
            return below_->read(offset, into);
        }
        Result<void> write(std::uint64_t offset, Bytes bytes) override {
            if (auto fault = files_.before_(FileOp::write, path_)) {
                // As a disk does it: a part of it is there.
                (void)below_->write(offset, bytes.first(bytes.size() / 2)).ok();
                return *fault;
            }
            return below_->write(offset, bytes);
        }
        Result<std::uint64_t> size() override { return below_->size(); }
        Result<void> truncate(std::uint64_t size) override { return below_->truncate(size); }
        Result<void> sync() override {
            if (auto fault = files_.before_(FileOp::sync, path_)) return *fault;
            return below_->sync();
        }

    private:
        FaultyFiles& files_;
        const std::unique_ptr<File> below_;
        const std::string path_;
    };

    FileSystem& below_;
    const Before before_;
};

}  // namespace penstock::logfile
