#pragma once

#include <memory>
#include <string>

#include "penstock/base/files.h"
#include "penstock/edge/load/load_answer.h"
#include "penstock/edge/load/load_claims.h"

namespace penstock::load {

/// What each claim was told, attempt by attempt, as penstock::verify reads it. Threads: one.
class LoadHistory {
public:
    /// Writes from the beginning of the file.
    static Result<LoadHistory> open(FileSystem& files, const LoadOptions& options);

    void add(const Claim& claim, const ClaimAnswer& answer);
    /// The first error of any write since the beginning.
    Result<void> finish();

private:
    LoadHistory() = default;
    void flush();

    std::unique_ptr<File> file_;  ///< nullptr: no history is wanted
    std::string middle_, quantity_;
    std::string buffer_;
    std::uint64_t written_ = 0;
    Result<void> state_;
};

/// `text` as a JSON string with its quotes. It is UTF-8.
void append_quoted(std::string& out, std::string_view text);

}  // namespace penstock::load
