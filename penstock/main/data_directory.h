#pragma once

#include <memory>
#include <string>

#include "penstock/base/files.h"

namespace penstock {

/// Where the parts of a data directory stand.
struct DataDirectory {
    std::string root;
    std::string log() const { return root + "/log"; }
    std::string database() const { return root + "/penstock.db"; }
    std::string lock() const { return root + "/lock"; }
    std::string marker() const { return root + "/penstock-data"; }

    /// Makes it, or checks that it is ours; then holds it. in_use: another process has it. unsafe:
    /// it holds foreign files. too_new: of another version. io, read_only, no_space.
    Result<std::unique_ptr<FileLock>> open(FileSystem& files) const;
};

}  // namespace penstock
