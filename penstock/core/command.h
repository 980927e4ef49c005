#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "penstock/base/bytes.h"
#include "penstock/base/time.h"
#include "penstock/base/uuid.h"
#include "penstock/gate/gate.h"
#include "penstock/log/log.h"

namespace penstock {

inline constexpr std::size_t kMaxIdBytes = 128;
inline constexpr std::size_t kMaxTypeBytes = 128;
inline constexpr std::size_t kMaxTargetBytes = 256;

/// Names of the record headers that make a record a command; all values are UTF-8 text, times are
/// decimal milliseconds since the Unix epoch.
namespace header {
inline constexpr std::string_view kId = "id";
inline constexpr std::string_view kType = "type";
inline constexpr std::string_view kTarget = "target";
inline constexpr std::string_view kRequestedAt = "requested_at";
inline constexpr std::string_view kDeadline = "deadline";
inline constexpr std::string_view kGateGeneration = "gate_generation";
inline constexpr std::string_view kReplyTo = "reply_to";
inline constexpr std::string_view kTraceparent = "traceparent";
}  // namespace header

/// Type of the record that says whose line a topic is (runtime/line_mark.h): done, without effect.
inline constexpr std::string_view kLineMarkType = "penstock.line";

/// A request to change the resource under its key. Everything is borrowed: from the record where
/// it was read, from the caller where it is being made.
struct Command {
    Uuid id;                   ///< uuid_of_id(id_text)
    std::string_view id_text;  ///< as the caller gave it, 1 to 128 printable ASCII characters
    std::string_view type;     ///< chooses the handler
    std::string_view target;   ///< free text for people and metrics; may be empty
    std::string_view key;      ///< chooses the partition
    Bytes data;                ///< JSON, in the canonical form of its type
    LogTime requested_at{};
    std::optional<LogTime> deadline;  ///< will not happen after this time
    std::optional<GateGeneration> admitted_under;
    std::optional<std::uint32_t> reply_to;  ///< reply partition of the process that asked
    std::string_view traceparent;           ///< W3C; may be empty

    // Known once it is on the log.
    Offset offset;
    LogTime logged_at{};
    LayoutId layout;
};

/// Over type, target, key and data: the same id with another body is refused.
Hash128 body_hash(const Command& command);

struct Undecodable {
    std::string why;
    std::optional<Uuid> id;  ///< where one can be read
};

/// The command in a record of a topic whose records without a type have `default_type` (may be
/// empty: then a type is needed).
std::variant<Command, Undecodable> decode(const Logged& record, std::string_view default_type);

/// The record of a command. Holds the headers that record() borrows; the command must outlive it.
class CommandRecord {
public:
    explicit CommandRecord(const Command& command);
    CommandRecord(const CommandRecord&) = delete;
    CommandRecord& operator=(const CommandRecord&) = delete;
    Record record() const;

private:
    void add(std::string_view name, std::string_view value);

    const Command& command_;
    char numbers_[4][20];
    Header headers_[9];
    std::size_t count_ = 0;
};

/// 1 to kMaxIdBytes printable ASCII characters.
bool is_valid_id(std::string_view id_text);

}  // namespace penstock
