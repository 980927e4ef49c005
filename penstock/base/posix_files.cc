#include "penstock/base/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace penstock {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

Code code_of(int number) {
    switch (number) {
        case ENOENT:
            return Code::not_found;
        case ENOSPC:
        case EDQUOT:
            return Code::no_space;
        case EROFS:
        case EACCES:
        case EPERM:
            return Code::read_only;
        default:
            return Code::io;
    }
}

Error failed(const char* what, const std::string& path) {
    const int number = errno;
    return error(code_of(number), fmt::format("{} {}: {}", what, path, std::strerror(number)));
}

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    const int fd_;
};

class PosixFile final : public File {
public:
    PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                      static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("cannot read", path_);
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }

    Result<void> write(std::uint64_t offset, Bytes bytes) override {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t n = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                       static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("cannot write", path_);
            done += static_cast<std::size_t>(n);
        }
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat info {};
        if (::fstat(fd_.get(), &info) != 0) return failed("cannot stat", path_);
        return static_cast<std::uint64_t>(info.st_size);
    }

    Result<void> truncate(std::uint64_t size) override {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
            return failed("cannot truncate", path_);
        }
        return {};
    }

    Result<void> sync() override {
        if (::fdatasync(fd_.get()) != 0) return failed("cannot sync", path_);
        return {};
    }

private:
    const Descriptor fd_;
    const std::string path_;
};

class PosixLock final : public FileLock {
public:
    explicit PosixLock(int fd) : fd_(fd) {}

private:
    const Descriptor fd_;
};

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::unique_ptr<File>> PosixFiles::open(const std::string& path, OpenMode mode) {
    int flags = O_CLOEXEC;
    flags |= mode == OpenMode::read ? O_RDONLY : O_RDWR;
    if (mode == OpenMode::create) flags |= O_CREAT;
    const int fd = ::open(path.c_str(), flags, kFileMode);
    if (fd < 0) return failed("cannot open", path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
}

Result<void> PosixFiles::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("cannot rename", from);
    return {};
}

Result<void> PosixFiles::remove(const std::string& path) {
    if (std::remove(path.c_str()) != 0) return failed("cannot remove", path);
    return {};
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& directory) {
    DIR* handle = ::opendir(directory.c_str());
    if (handle == nullptr) return failed("cannot list", directory);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(handle)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(handle);
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> PosixFiles::make_directory(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) return {};
        return error(Code::invalid, fmt::format("{} is not a directory", path));
    }
    const std::string parent = parent_of(path);
    PENSTOCK_TRY(make_directory(parent));
    if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
        return failed("cannot make directory", path);
    }
    return sync_directory(parent);
}

Result<void> PosixFiles::sync_directory(const std::string& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) return failed("cannot open", path);
    if (::fsync(directory.get()) != 0) return failed("cannot sync directory", path);
    return {};
}

bool PosixFiles::exists(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0;
}

Result<std::uint64_t> PosixFiles::free_bytes(const std::string& path) {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return failed("cannot stat", path);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<std::unique_ptr<FileLock>> PosixFiles::lock(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
    if (fd < 0) return failed("cannot open", path);
    auto lock = std::make_unique<PosixLock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return failed("cannot lock", path);
        return error(Code::in_use, fmt::format("{} is held by another process", path));
    }
    return std::unique_ptr<FileLock>(std::move(lock));
}

}  // namespace penstock
