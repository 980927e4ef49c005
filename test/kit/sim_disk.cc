#include "test/kit/sim_disk.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "penstock/base/check.h"

namespace penstock::test {

SimContent::Page& SimContent::own(Image& image, std::uint64_t page) {
    auto& slot = image.pages[page];
    if (!slot) {
        slot = std::make_shared<Page>();
    } else if (slot.use_count() > 1) {
        slot = std::make_shared<Page>(*slot);
    }
    return *slot;
}

void SimContent::cut(Image& image, std::uint64_t size) {
    const std::uint64_t pages = (size + kPageBytes - 1) / kPageBytes;
    image.pages.erase(image.pages.lower_bound(pages), image.pages.end());
    if (size % kPageBytes != 0 && image.pages.count(size / kPageBytes) != 0) {
        Page& last = own(image, size / kPageBytes);
        std::fill(last.begin() + static_cast<std::ptrdiff_t>(size % kPageBytes), last.end(),
                  std::byte{0});
    }
    image.size = size;
}

std::size_t SimContent::read(std::uint64_t offset, std::span<std::byte> into) const {
    if (offset >= live_.size) return 0;
    const std::size_t size = std::min<std::uint64_t>(into.size(), live_.size - offset);
    for (std::size_t done = 0; done < size;) {
        const std::uint64_t at = offset + done;
        const std::size_t part = std::min(size - done, kPageBytes - at % kPageBytes);
        const auto page = live_.pages.find(at / kPageBytes);
        if (page == live_.pages.end()) {
            std::memset(into.data() + done, 0, part);
        } else {
            std::memcpy(into.data() + done, page->second->data() + at % kPageBytes, part);
        }
        done += part;
    }
    return size;
}

void SimContent::write(std::uint64_t offset, Bytes bytes) {
    live_.size = std::max(live_.size, offset + bytes.size());
    while (!bytes.empty()) {
        const std::uint64_t page = offset / kPageBytes;
        const std::size_t in_page = offset % kPageBytes;
        const std::size_t part = std::min(bytes.size(), kPageBytes - in_page);
        const Bytes now = bytes.first(part);
        // Zeros where nothing ever stood cost no memory: segments are written with them ahead.
        const bool nothing =
            live_.pages.count(page) == 0 && durable_.pages.count(page) == 0 &&
            std::all_of(now.begin(), now.end(), [](std::byte b) { return b == std::byte{0}; });
        if (!nothing) {
            std::memcpy(own(live_, page).data() + in_page, now.data(), part);
            for (std::size_t s = in_page / kSectorBytes; s * kSectorBytes < in_page + part; ++s) {
                dirty_[page] |= static_cast<std::uint8_t>(1u << s);
            }
        }
        offset += part;
        bytes = bytes.subspan(part);
    }
}

void SimContent::truncate(std::uint64_t size) {
    // What the disk still holds behind the new end must read as zeros if the file grows again.
    for (auto page = live_.pages.lower_bound(size / kPageBytes); page != live_.pages.end();
         ++page) {
        dirty_[page->first] = 0xff;
    }
    cut(live_, size);
}

void SimContent::sync() {
    for (const auto& [page, sectors] : dirty_) {
        const auto found = live_.pages.find(page);
        if (found == live_.pages.end()) {
            durable_.pages.erase(page);
        } else {
            durable_.pages[page] = found->second;
        }
    }
    dirty_.clear();
    durable_.size = live_.size;
}

void SimContent::list_unsynced(std::uint64_t node, std::vector<Unsynced>& into) const {
    for (const auto& [page, sectors] : dirty_) {
        for (std::size_t s = 0; s < kSectors; ++s) {
            if ((sectors >> s & 1) == 0) continue;
            into.push_back({Unsynced::Kind::sector, node, page * kSectors + s});
        }
    }
    if (live_.size != durable_.size) into.push_back({Unsynced::Kind::length, node, 0});
}

void SimContent::cut_power(std::uint64_t node, const std::function<bool(const Unsynced&)>& keep) {
    std::vector<Unsynced> open;
    list_unsynced(node, open);
    for (const Unsynced& one : open) {
        if (!keep(one)) continue;
        if (one.kind == Unsynced::Kind::length) {
            if (live_.size < durable_.size) {
                cut(durable_, live_.size);
            } else {
                durable_.size = live_.size;
            }
            continue;
        }
        const std::uint64_t page = one.index / kSectors;
        const std::size_t at = one.index % kSectors * kSectorBytes;
        const auto found = live_.pages.find(page);
        Page& into = own(durable_, page);
        if (found == live_.pages.end()) {
            std::memset(into.data() + at, 0, kSectorBytes);
        } else {
            std::memcpy(into.data() + at, found->second->data() + at, kSectorBytes);
        }
    }
    // Sectors behind a length that was not kept are not part of the file.
    cut(durable_, durable_.size);
    live_ = durable_;
    dirty_.clear();
}

std::string parent_path(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

void SimDisk::apply(const Change& change, Names& names) {
    if (!change.from.empty()) names.erase(change.from);
    if (!change.to.empty()) names[change.to] = change.node;
    if (change.from.empty() || change.to.empty()) return;
    // What is below a directory moves with it.
    const std::string prefix = change.from + "/";
    for (auto name = names.lower_bound(prefix);
         name != names.end() && name->first.compare(0, prefix.size(), prefix) == 0;) {
        names[change.to + "/" + name->first.substr(prefix.size())] = name->second;
        name = names.erase(name);
    }
}

std::optional<std::uint64_t> SimDisk::find(const std::string& path) const {
    const auto found = names_.find(path);
    if (found == names_.end()) return std::nullopt;
    return found->second;
}

std::uint64_t SimDisk::create(const std::string& path, bool directory) {
    const std::uint64_t id = next_node_++;
    nodes_[id].directory = directory;
    changes_.push_back({"", path, id});
    apply(changes_.back(), names_);
    return id;
}

void SimDisk::rename(const std::string& from, const std::string& to) {
    const std::uint64_t id = names_.at(from);
    changes_.push_back({from, to, id});
    apply(changes_.back(), names_);
}

void SimDisk::remove(const std::string& path) {
    changes_.push_back({path, "", names_.at(path)});
    apply(changes_.back(), names_);
}

std::vector<std::string> SimDisk::list(const std::string& directory) const {
    const std::string prefix = directory == "/" ? directory : directory + "/";
    std::vector<std::string> found;
    for (auto name = names_.lower_bound(prefix); name != names_.end(); ++name) {
        if (name->first.compare(0, prefix.size(), prefix) != 0) break;
        const std::string rest = name->first.substr(prefix.size());
        if (!rest.empty() && rest.find('/') == std::string::npos) found.push_back(rest);
    }
    return found;  // sorted, as the names are
}

void SimDisk::sync_directory(const std::string& path) {
    const auto concerns = [&](const Change& change) {
        return (!change.from.empty() && parent_path(change.from) == path) ||
               (!change.to.empty() && parent_path(change.to) == path);
    };
    std::vector<Change> rest;
    for (Change& change : changes_) {
        if (concerns(change)) {
            apply(change, durable_names_);
        } else {
            rest.push_back(std::move(change));
        }
    }
    changes_ = std::move(rest);
}

std::uint64_t SimDisk::used_bytes() const {
    std::uint64_t used = 0;
    for (const auto& [path, id] : names_) used += nodes_.at(id).content.size();
    return used;
}

std::vector<Unsynced> SimDisk::unsynced() const {
    std::vector<Unsynced> all;
    for (const auto& [id, node] : nodes_) node.content.list_unsynced(id, all);
    for (std::size_t i = 0; i < changes_.size(); ++i) {
        all.push_back({Unsynced::Kind::name, changes_[i].node, i});
    }
    return all;
}

void SimDisk::cut_power(const std::function<bool(const Unsynced&)>& keep) {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
        if (keep({Unsynced::Kind::name, changes_[i].node, i})) apply(changes_[i], durable_names_);
    }
    changes_.clear();
    names_ = durable_names_;
    std::set<std::uint64_t> named;
    for (const auto& [path, id] : names_) named.insert(id);
    for (auto node = nodes_.begin(); node != nodes_.end();) {
        if (named.count(node->first) == 0) {
            node = nodes_.erase(node);
            continue;
        }
        node->second.content.cut_power(node->first, keep);
        ++node;
    }
}

}  // namespace penstock::test
