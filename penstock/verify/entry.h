#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/uuid.h"
#include "penstock/log/log.h"

namespace penstock::verify {

/// A record read as a command. Texts are borrowed from the record.
struct Entry {
    bool decodable = false;
    std::optional<Uuid> id;
    std::string_view id_text, type, target, key, data;
    std::optional<LogTime> deadline;
    std::optional<std::uint64_t> gate_generation;  ///< under which the gate let it in
    std::uint64_t offset = 0;
    LogTime time{};
    Hash128 body;
};

Entry read_entry(const Logged& record);

}  // namespace penstock::verify
