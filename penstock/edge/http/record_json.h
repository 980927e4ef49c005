#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/log/log.h"

namespace penstock::http {

/// A record as somebody publishes it, with its memory.
struct PublishedRecord {
    std::optional<std::string> key, value;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<PartitionId> partition;

    std::size_t bytes() const;
    /// Borrows from this and from `headers`, which it fills.
    Record record(std::vector<Header>& headers) const;
};

/// `{key | key_base64, value | value_base64, headers?, partition?}`. A value that is no string is
/// published as its JSON text, null is a tombstone; headers are an object of strings, or an array
/// of {name, value | value_base64}.
Result<PublishedRecord> parse_record(std::string_view json, std::size_t depth);

/// The same form, with offset, time and partition: text where it is UTF-8, else base64.
void append_record(std::string& out, const Logged& record, PartitionId partition);

}  // namespace penstock::http
