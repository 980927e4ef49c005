#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/bytes.h"
#include "penstock/base/result.h"

namespace penstock {

/// An open file. Threads: any for read; one writer. Errors: io, no_space, read_only.
/// After a failed sync nobody may believe the file's unsynced content: it is never retried.
class File {
public:
    virtual ~File() = default;
    /// Bytes read; fewer than asked only at the end of the file.
    virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) = 0;
    /// All bytes, or an error after which any part of them may be there.
    virtual Result<void> write(std::uint64_t offset, Bytes bytes) = 0;
    virtual Result<std::uint64_t> size() = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    /// fdatasync: content and length are durable when it returns.
    virtual Result<void> sync() = 0;
};

enum class OpenMode : std::uint8_t {
    read,        ///< must exist
    read_write,  ///< must exist
    create,      ///< read and write; made empty if it does not exist
};

/// Holds an advisory lock on a file until it is destroyed.
class FileLock {
public:
    virtual ~FileLock() = default;
};

/// Paths, directories and durability of names. A new or renamed file is durable only after
/// sync_directory() of its directory. Threads: any.
class FileSystem {
public:
    virtual ~FileSystem() = default;
    virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path) = 0;  ///< file or empty directory
    /// Names in the directory, sorted, without `.` and `..`. not_found if there is none.
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    /// Makes the directory and its parents; syncs each parent it changed.
    virtual Result<void> make_directory(const std::string& path) = 0;
    virtual Result<void> sync_directory(const std::string& path) = 0;
    virtual bool exists(const std::string& path) = 0;
    virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
    /// in_use if another process (or object) holds it.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

}  // namespace penstock
