#include "penstock/main/data_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace penstock {
namespace {

constexpr std::string_view kMarkerText = "penstock data directory, version 1\n";

Result<void> write_marker(FileSystem& files, const DataDirectory& data) {
    auto file = files.open(data.marker(), OpenMode::create);
    if (!file) return std::move(file).error();
    PENSTOCK_TRY((*file)->write(0, as_bytes(kMarkerText)));
    PENSTOCK_TRY((*file)->sync());
    return files.sync_directory(data.root);
}

Result<void> check_marker(FileSystem& files, const DataDirectory& data) {
    auto file = files.open(data.marker(), OpenMode::read);
    if (!file) return std::move(file).error();
    std::string text(kMarkerText.size() + 1, '\0');
    auto read = (*file)->read(0, std::as_writable_bytes(std::span(text)));
    if (!read) return std::move(read).error();
    text.resize(*read);
    if (text == kMarkerText) return {};
    if (text.empty()) return write_marker(files, data);  // torn by a crash when it was made
    return error(Code::too_new, fmt::format("{} is of another version of Penstock: {}; use that "
                                            "version, or another --data directory",
                                            data.root, text));
}

/// For whoever comes second, so that it can say who came first. A disk too full for it is no reason
/// not to start.
void write_pid(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::create);
    if (!file) return;
    const std::string text = std::to_string(::getpid()) + "\n";
    if ((*file)->write(0, as_bytes(text))) (void)(*file)->truncate(text.size());
}

/// "process 1234", or what can be said where the holder has not written its pid yet.
std::string holder_of(FileSystem& files, const std::string& path) {
    std::array<char, 20> text{};
    if (auto file = files.open(path, OpenMode::read)) {
        (void)(*file)->read(0, std::as_writable_bytes(std::span(text)));
    }
    long pid = 0;
    const auto [end, failure] = std::from_chars(text.begin(), text.end(), pid);
    return failure == std::errc{} && end != text.end() && *end == '\n'
               ? fmt::format("process {}", pid)
               : "another process";
}

Error cannot_use(const DataDirectory& data, Error why) {
    why.text = fmt::format(
        "the data directory {} cannot be used: {}; give a --data that this user "
        "can write to",
        data.root, why.text);
    return why;
}

Result<void> refuse_foreign(FileSystem& files, const DataDirectory& data) {
    auto names = files.list(data.root);
    if (!names) return cannot_use(data, std::move(names).error());
    for (const std::string& name : *names) {
        if (name == "lock" || files.exists(data.marker())) continue;
        return error(Code::unsafe, fmt::format("{} is not a data directory of Penstock: it holds "
                                               "{}; give an empty or a new one with --data",
                                               data.root, name));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<FileLock>> DataDirectory::open(FileSystem& files) const {
    if (auto made = files.make_directory(root); !made) {
        return cannot_use(*this, std::move(made).error());
    }
    PENSTOCK_TRY(refuse_foreign(files, *this));
    auto held = files.lock(lock());
    if (!held && held.error().code == Code::in_use) {
        return error(Code::in_use, fmt::format("the data directory {} is in use by {}; stop that, "
                                               "or give another --data",
                                               root, holder_of(files, lock())));
    }
    if (!held) return cannot_use(*this, std::move(held).error());
    write_pid(files, lock());
    PENSTOCK_TRY(files.exists(marker()) ? check_marker(files, *this) : write_marker(files, *this));
    return held;
}

}  // namespace penstock
