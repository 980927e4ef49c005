#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "penstock/base/uuid.h"
#include "penstock/log/log.h"
#include "penstock/store/store.h"

namespace penstock {

/// A topic of the line as the store has it: these partitions count, whatever a tool adds to the
/// log.
struct Layout {
    Uuid line;               ///< made with the row: tells the lines of two stores apart
    LayoutId generation{1};  ///< of the partition count
    std::uint32_t partitions = 1;
};

/// The table penstock_layout of one session, one row for each topic of a group.
class Layouts {
public:
    Layouts(Session& session, std::string group) : session_(session), group_(std::move(group)) {}

    Result<void> prepare(const Dialect& dialect);
    Result<std::optional<Layout>> find(const TopicId& topic);
    /// `first`, unless another process was quicker: what stands in the store is returned.
    Result<Layout> begin(const TopicId& topic, const Layout& first);
    /// From now on the topic's line is the one that its first record names.
    Result<void> adopt(const TopicId& topic, const Uuid& line);

private:
    Result<void> write(StatementId statement, std::span<const Value> values);

    Session& session_;
    const std::string group_;
    StatementId select_{}, insert_{}, adopt_{};
};

}  // namespace penstock
