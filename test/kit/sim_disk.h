#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/bytes.h"

namespace penstock::test {

inline constexpr std::size_t kSectorBytes = 512;

/// Something that a power cut may lose: a sector or the length of a file, or a change of a name.
struct Unsynced {
    enum class Kind : std::uint8_t { sector, length, name };
    Kind kind;
    std::uint64_t node;   ///< the file; of a name: the file it names
    std::uint64_t index;  ///< of the sector; of the name's change, in order
};

/// A file's bytes as programs see them, and as the disk holds them. Pages are shared by copies.
class SimContent {
public:
    std::uint64_t size() const { return live_.size; }
    std::size_t read(std::uint64_t offset, std::span<std::byte> into) const;
    void write(std::uint64_t offset, Bytes bytes);
    void truncate(std::uint64_t size);
    void sync();
    void list_unsynced(std::uint64_t node, std::vector<Unsynced>& into) const;
    /// Keeps of what is not synced what `keep` says; that is then durable.
    void cut_power(std::uint64_t node, const std::function<bool(const Unsynced&)>& keep);

private:
    static constexpr std::size_t kPageBytes = 4096;
    static constexpr std::size_t kSectors = kPageBytes / kSectorBytes;
    using Page = std::array<std::byte, kPageBytes>;
    struct Image {
        std::uint64_t size = 0;
        std::map<std::uint64_t, std::shared_ptr<Page>> pages;  // absent: zeros
    };

    static Page& own(Image& image, std::uint64_t page);
    static void cut(Image& image, std::uint64_t size);

    Image live_, durable_;
    std::map<std::uint64_t, std::uint8_t> dirty_;  // page → sectors written since the last sync
};

/// What is on a disk and what will be: a value, to be copied and kept.
/// Paths are absolute or relative words with '/', taken as they are.
class SimDisk {
public:
    struct Node {
        bool directory = false;
        SimContent content;
    };

    /// Nothing: no such name.
    std::optional<std::uint64_t> find(const std::string& path) const;
    Node& node(std::uint64_t id) { return nodes_.at(id); }
    const Node& node(std::uint64_t id) const { return nodes_.at(id); }
    std::uint64_t create(const std::string& path, bool directory);
    void rename(const std::string& from, const std::string& to);
    void remove(const std::string& path);
    std::vector<std::string> list(const std::string& directory) const;
    void sync_directory(const std::string& path);
    std::uint64_t used_bytes() const;

    std::vector<Unsynced> unsynced() const;
    void cut_power(const std::function<bool(const Unsynced&)>& keep);

private:
    using Names = std::map<std::string, std::uint64_t>;
    /// `from` empty: made. `to` empty: removed. Both: renamed, at once.
    struct Change {
        std::string from, to;
        std::uint64_t node;
    };
    static void apply(const Change& change, Names& names);

    std::map<std::uint64_t, Node> nodes_;
    Names names_, durable_names_;
    std::vector<Change> changes_;  // not in durable_names_ yet
    std::uint64_t next_node_ = 1;
};

std::string parent_path(const std::string& path);

}  // namespace penstock::test
