#include "penstock/log/file/tree.h"

#include <fmt/format.h>

namespace penstock::logfile {

Result<void> remove_tree(FileSystem& files, const std::string& path) {
    auto names = files.list(path);  // an error: it is a file
    if (names) {
        for (const std::string& name : *names) {
            PENSTOCK_TRY(remove_tree(files, fmt::format("{}/{}", path, name)));
        }
    }
    return files.remove(path);
}

}  // namespace penstock::logfile
