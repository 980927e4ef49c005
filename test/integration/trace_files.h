#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "penstock/base/files.h"
#include "penstock/base/guarded.h"

/// Files in memory whose operations are recorded, so that every state that a power cut may leave
/// can be built: of what was not synced, any subset of sectors and of names.
namespace penstock::crash {

inline constexpr std::size_t kSectorBytes = 512;

using FileId = std::uint64_t;

/// What a disk holds: files by path, and directories.
struct Image {
    std::map<std::string, std::string> files;
    std::set<std::string> directories;
};

struct Step {
    enum class Kind : std::uint8_t {
        write,           ///< `bytes` at `offset` of `file`
        truncate,        ///< `file` to `offset` bytes
        sync,            ///< of `file`
        link,            ///< `path` names `file`
        rename,          ///< `path` to `to`
        unlink,          ///< `path`
        make_directory,  ///< `path`
        rename_directory,
        sync_directory,  ///< of `path`
        mark,            ///< the test's: `offset`
    };
    Kind kind;
    FileId file = 0;
    std::uint64_t offset = 0;
    std::string bytes;
    std::string path;
    std::string to;
};

/// A working file system that remembers its steps. Threads: any.
class TraceFiles final : public FileSystem {
public:
    explicit TraceFiles(Image image = {});

    /// The test's own event, in order with the steps.
    void mark(std::uint64_t value);
    std::vector<Step> steps();
    Image image();
    /// Changes a file without a step, as damage does.
    void damage(const std::string& path, const std::function<void(std::string&)>& change);

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> make_directory(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    bool exists(const std::string& path) override;
    Result<std::uint64_t> free_bytes(const std::string& path) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

private:
    friend class TraceFile;
    struct Node {
        FileId id;
        std::string bytes;
    };

    mutable Mutex mutex_;
    std::map<std::string, std::shared_ptr<Node>> files_ GUARDED_BY(mutex_);
    std::set<std::string> directories_ GUARDED_BY(mutex_);
    std::vector<Step> steps_ GUARDED_BY(mutex_);
    FileId next_id_ GUARDED_BY(mutex_) = 1;
};

/// The disk after a prefix of the steps: what is durable for sure, and what is in doubt.
class CrashPoint {
public:
    /// `before`: durable when the recording began.
    explicit CrashPoint(const Image& before);
    void apply(const Step& step);

    /// Sectors and name changes in doubt; each can be there or not.
    std::size_t sectors_in_doubt() const;
    std::size_t names_in_doubt() const { return names_.size(); }
    /// `sector(i)`, `name(i)`: whether the i-th in doubt reached the disk.
    template <class Sector, class Name>
    Image image(Sector&& sector, Name&& name) const {
        std::vector<bool> sectors;
        for (std::size_t i = 0; i < sectors_in_doubt(); ++i) sectors.push_back(sector(i));
        std::vector<bool> names;
        for (std::size_t i = 0; i < names_.size(); ++i) names.push_back(name(i));
        return build(sectors, names);
    }
    std::uint64_t marked() const { return marked_; }

private:
    struct Sector {
        std::uint64_t offset;
        std::string bytes;
        bool truncate = false;
    };
    struct Content {
        std::string durable;
        std::vector<Sector> in_doubt;
    };
    using Names = std::map<std::string, FileId>;

    static void apply_name(const Step& step, Names& names, std::set<std::string>& directories);
    static void apply_sector(const Sector& sector, std::string& bytes);
    Image build(const std::vector<bool>& sectors, const std::vector<bool>& names) const;

    std::map<FileId, Content> contents_;
    Names durable_names_;
    std::set<std::string> durable_directories_;
    std::vector<Step> names_;  ///< name changes in doubt, in order
    std::uint64_t marked_ = 0;
};

}  // namespace penstock::crash
