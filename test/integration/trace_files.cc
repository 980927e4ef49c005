#include "test/integration/trace_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace penstock::crash {
namespace {

std::string parent_of(const std::string& path) {
    return path.substr(0, path.find_last_of('/'));
}

Error no_file(const std::string& path) {
    return error(Code::not_found, fmt::format("there is no {}", path));
}

bool below(const std::string& path, const std::string& directory) {
    return path.starts_with(directory + "/");
}

}  // namespace

class TraceFile final : public File {
public:
    TraceFile(TraceFiles& files, std::shared_ptr<TraceFiles::Node> node)
        : files_(files), node_(std::move(node)) {}

    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
        const MutexLock lock(files_.mutex_);
        if (offset >= node_->bytes.size()) return std::size_t{0};
        const std::size_t bytes = std::min<std::size_t>(into.size(), node_->bytes.size() - offset);
        std::memcpy(into.data(), node_->bytes.data() + offset, bytes);
        return bytes;
    }
    Result<void> write(std::uint64_t offset, Bytes bytes) override {
        const MutexLock lock(files_.mutex_);
        if (node_->bytes.size() < offset + bytes.size()) node_->bytes.resize(offset + bytes.size());
        std::memcpy(node_->bytes.data() + offset, bytes.data(), bytes.size());
        files_.steps_.push_back(
            {Step::Kind::write, node_->id, offset, std::string(as_text(bytes)), {}, {}});
        return {};
    }
    Result<std::uint64_t> size() override {
        const MutexLock lock(files_.mutex_);
        return std::uint64_t{node_->bytes.size()};
    }
    Result<void> truncate(std::uint64_t size) override {
        const MutexLock lock(files_.mutex_);
        node_->bytes.resize(size);
        files_.steps_.push_back({Step::Kind::truncate, node_->id, size, {}, {}, {}});
        return {};
    }
    Result<void> sync() override {
        const MutexLock lock(files_.mutex_);
        files_.steps_.push_back({Step::Kind::sync, node_->id, 0, {}, {}, {}});
        return {};
    }

private:
    TraceFiles& files_;
    const std::shared_ptr<TraceFiles::Node> node_;  // lives on when its name goes
};

TraceFiles::TraceFiles(Image image) : directories_(std::move(image.directories)) {
    // Numbered as CrashPoint numbers them: in the order of their names.
    for (auto& [path, bytes] : image.files) {
        files_[path] = std::make_shared<Node>(Node{next_id_++, std::move(bytes)});
    }
}

void TraceFiles::mark(std::uint64_t value) {
    const MutexLock lock(mutex_);
    steps_.push_back({Step::Kind::mark, 0, value, {}, {}, {}});
}

std::vector<Step> TraceFiles::steps() {
    const MutexLock lock(mutex_);
    return steps_;
}

Image TraceFiles::image() {
    const MutexLock lock(mutex_);
    Image image;
    image.directories = directories_;
    for (const auto& [path, node] : files_) image.files[path] = node->bytes;
    return image;
}

void TraceFiles::damage(const std::string& path, const std::function<void(std::string&)>& change) {
    const MutexLock lock(mutex_);
    change(files_.at(path)->bytes);
}

Result<std::unique_ptr<File>> TraceFiles::open(const std::string& path, OpenMode mode) {
    const MutexLock lock(mutex_);
    auto found = files_.find(path);
    if (found == files_.end()) {
        if (mode != OpenMode::create || !directories_.contains(parent_of(path)))
            return no_file(path);
        found = files_.emplace(path, std::make_shared<Node>(Node{next_id_++, {}})).first;
        steps_.push_back({Step::Kind::link, found->second->id, 0, {}, path, {}});
    }
    return std::unique_ptr<File>(std::make_unique<TraceFile>(*this, found->second));
}

Result<void> TraceFiles::rename(const std::string& from, const std::string& to) {
    const MutexLock lock(mutex_);
    if (files_.contains(from)) {
        files_[to] = files_[from];
        files_.erase(from);
        steps_.push_back({Step::Kind::rename, 0, 0, {}, from, to});
        return {};
    }
    if (!directories_.contains(from)) return no_file(from);
    std::set<std::string> directories;
    for (const std::string& path : directories_) {
        const bool moves = path == from || below(path, from);
        directories.insert(moves ? to + path.substr(from.size()) : path);
    }
    directories_.swap(directories);
    std::map<std::string, std::shared_ptr<Node>> files;
    for (auto& [path, node] : files_) {
        files[below(path, from) ? to + path.substr(from.size()) : path] = node;
    }
    files_.swap(files);
    steps_.push_back({Step::Kind::rename_directory, 0, 0, {}, from, to});
    return {};
}

Result<void> TraceFiles::remove(const std::string& path) {
    const MutexLock lock(mutex_);
    if (files_.erase(path) + directories_.erase(path) == 0) return no_file(path);
    steps_.push_back({Step::Kind::unlink, 0, 0, {}, path, {}});
    return {};
}

Result<std::vector<std::string>> TraceFiles::list(const std::string& directory) {
    const MutexLock lock(mutex_);
    if (!directories_.contains(directory)) return no_file(directory);
    std::vector<std::string> names;
    const auto add = [&](const std::string& path) {
        if (path.size() > directory.size() && parent_of(path) == directory) {
            names.push_back(path.substr(directory.size() + 1));
        }
    };
    for (const auto& [path, node] : files_) add(path);
    for (const std::string& path : directories_) add(path);
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> TraceFiles::make_directory(const std::string& path) {
    const MutexLock lock(mutex_);
    if (directories_.contains(path)) return {};
    directories_.insert(path);
    steps_.push_back({Step::Kind::make_directory, 0, 0, {}, path, {}});
    steps_.push_back({Step::Kind::sync_directory, 0, 0, {}, parent_of(path), {}});
    return {};
}

Result<void> TraceFiles::sync_directory(const std::string& path) {
    const MutexLock lock(mutex_);
    steps_.push_back({Step::Kind::sync_directory, 0, 0, {}, path, {}});
    return {};
}

bool TraceFiles::exists(const std::string& path) {
    const MutexLock lock(mutex_);
    return files_.contains(path) || directories_.contains(path);
}

Result<std::uint64_t> TraceFiles::free_bytes(const std::string&) {
    return std::uint64_t{1} << 40;
}

Result<std::unique_ptr<FileLock>> TraceFiles::lock(const std::string&) {
    return std::make_unique<FileLock>();
}

CrashPoint::CrashPoint(const Image& before) : durable_directories_(before.directories) {
    FileId id = 1;
    for (const auto& [path, bytes] : before.files) {
        durable_names_[path] = id;
        contents_[id++].durable = bytes;
    }
}

std::size_t CrashPoint::sectors_in_doubt() const {
    std::size_t count = 0;
    for (const auto& [id, content] : contents_) count += content.in_doubt.size();
    return count;
}

void CrashPoint::apply_sector(const Sector& sector, std::string& bytes) {
    if (sector.truncate) return bytes.resize(sector.offset);
    const std::size_t end = sector.offset + sector.bytes.size();
    if (bytes.size() < end) bytes.resize(end);
    bytes.replace(sector.offset, sector.bytes.size(), sector.bytes);
}

void CrashPoint::apply_name(const Step& step, Names& names, std::set<std::string>& directories) {
    switch (step.kind) {
        case Step::Kind::link:
            names[step.path] = step.file;
            return;
        case Step::Kind::make_directory:
            directories.insert(step.path);
            return;
        case Step::Kind::unlink:
            names.erase(step.path);
            directories.erase(step.path);
            return;
        case Step::Kind::rename:
            if (!names.contains(step.path)) return;
            names[step.to] = names[step.path];
            names.erase(step.path);
            return;
        default:
            break;
    }
    Names moved;
    for (const auto& [path, id] : names) {
        moved[below(path, step.path) ? step.to + path.substr(step.path.size()) : path] = id;
    }
    names.swap(moved);
    std::set<std::string> moved_directories;
    for (const std::string& path : directories) {
        const bool moves = path == step.path || below(path, step.path);
        moved_directories.insert(moves ? step.to + path.substr(step.path.size()) : path);
    }
    directories.swap(moved_directories);
}

void CrashPoint::apply(const Step& step) {
    switch (step.kind) {
        case Step::Kind::mark:
            marked_ = step.offset;
            return;
        case Step::Kind::truncate:
            contents_[step.file].in_doubt.push_back({step.offset, {}, true});
            return;
        case Step::Kind::write:
            for (std::size_t at = 0; at < step.bytes.size();) {
                // Up to the next boundary of a sector.
                const std::size_t left = kSectorBytes - (step.offset + at) % kSectorBytes;
                contents_[step.file].in_doubt.push_back(
                    {step.offset + at, step.bytes.substr(at, left)});
                at += std::min(left, step.bytes.size() - at);
            }
            return;
        case Step::Kind::sync: {
            Content& content = contents_[step.file];
            for (const Sector& sector : content.in_doubt) apply_sector(sector, content.durable);
            content.in_doubt.clear();
            return;
        }
        case Step::Kind::sync_directory: {
            std::vector<Step> still;
            for (const Step& name : names_) {
                if (parent_of(name.path) == step.path) {
                    apply_name(name, durable_names_, durable_directories_);
                } else {
                    still.push_back(name);
                }
            }
            names_.swap(still);
            return;
        }
        default:
            names_.push_back(step);
            return;
    }
}

Image CrashPoint::build(const std::vector<bool>& sectors, const std::vector<bool>& names) const {
    Names links = durable_names_;
    Image image;
    image.directories = durable_directories_;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        if (names[i]) apply_name(names_[i], links, image.directories);
    }
    std::map<FileId, std::string> bytes;
    std::size_t i = 0;
    for (const auto& [id, content] : contents_) {
        std::string& file = bytes[id] = content.durable;
        for (const Sector& sector : content.in_doubt) {
            if (sectors[i++]) apply_sector(sector, file);
        }
    }
    for (const auto& [path, id] : links) {
        if (image.directories.contains(parent_of(path))) image.files[path] = bytes[id];
    }
    return image;
}

}  // namespace penstock::crash
