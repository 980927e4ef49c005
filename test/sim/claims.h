#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "penstock/apps/sale/sale.h"
#include "penstock/runtime/requester.h"

namespace penstock::test {

/// A claim as its caller keeps it, also while the server is down.
struct ClaimForm {
    std::string campaign;
    std::string user;
    std::string id;
    std::uint32_t quantity = 1;
    std::optional<LogTime> deadline;
    bool fresh_id = false;  ///< the server may take it for one that it made itself
};

/// A command in the form in which it is submitted; keeps what the submission borrows.
class Made {
public:
    Made(const ClaimForm& claim, LogTime now);
    Made(const std::string& campaign, const sale::Campaign& body, LogTime now);  ///< sale.create
    Made(std::string_view type, std::string campaign, std::string id, std::string data,
         LogTime now);
    Made(const Made&) = delete;
    Made& operator=(const Made&) = delete;

    const Submission& submission() const { return submission_; }

private:
    std::string id_, type_, key_, data_;
    Submission submission_;
};

/// "granted", "done", a refusal's reason, "id_reused", "id_too_old", "error <code> <effect>".
std::string word_of(const Answered& answer);
/// The bytes of a recorded outcome that every attempt must get; empty: the answer is none.
std::string settled_bytes(const Answered& answer);
/// An integer member of a reply; 0 where it has none.
std::uint64_t member_of(const Answered& answer, std::string_view name);
/// This attempt said neither yes nor no: the record may be on the log.
bool is_unknown(const Answered& answer);

}  // namespace penstock::test
