#pragma once

#include <string>
#include <string_view>

#include "penstock/base/files.h"

namespace penstock::logfile {

// Names in the log's directory that no topic can have; what is under them is deleted at start.
inline constexpr std::string_view kNewPrefix = "~new-";
inline constexpr std::string_view kRemovedPrefix = "~removed-";

/// A directory with everything below it, or a file.
Result<void> remove_tree(FileSystem& files, const std::string& path);

}  // namespace penstock::logfile
