#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "penstock/base/check.h"

namespace penstock::test {

/// A directory of its own under the system's place for them, removed with all that is in it.
class TempDir {
public:
    TempDir() {
        std::string pattern = std::filesystem::temp_directory_path() / "penstock-XXXXXX";
        PENSTOCK_CHECK(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace penstock::test
