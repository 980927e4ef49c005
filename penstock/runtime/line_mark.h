#pragma once

#include <optional>

#include "penstock/base/env.h"
#include "penstock/base/uuid.h"
#include "penstock/log/log.h"

/// The first record of a topic that other stores can reach: a command of type kLineMarkType whose
/// data is {"line":"UUID"}. Two stores that decide the same topic would each grant what there is.
namespace penstock {

struct FirstRecord {
    enum class Kind {
        none,     ///< the topic is empty
        gone,     ///< retention let go of it
        mark,     ///< it names `line`
        foreign,  ///< it is something else
    };
    Kind kind = Kind::none;
    Uuid line{};
};

/// Of partition 0 of the topic that was just described.
Result<FirstRecord> read_first_record(Log& log, const TopicInfo& info);

/// Appends a mark and waits until it is durable. Somebody else's may be there first.
Result<void> append_mark(Env& env, Log& log, const TopicId& topic, const Uuid& line);

}  // namespace penstock
