#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/core/handler.h"
#include "penstock/runtime/layout.h"
#include "penstock/runtime/node.h"
#include "penstock/runtime/ownership.h"

namespace penstock {

/// A topic on which commands lie.
struct LineTopic {
    TopicInfo info;  ///< as at the start; only the partitions that count
    Layout layout;
};

/// The topics of the line at a start: made where they are missing, compared with what the store
/// says of them, marked where other stores can reach them. Constant after prepare().
class LineTopics {
public:
    LineTopics(Env& env, Log& log, Store& store, const NodeOptions& options, Owner owner,
               RuntimeObserver& observer);

    /// Leaves an owner row for each partition. unsafe: the topic has other settings, or belongs to
    /// another store. damaged: it is gone, or a fresh store cannot be built from it.
    Result<void> prepare(std::span<const Route> routes);

    const std::vector<LineTopic>& all() const { return topics_; }
    /// None: no topic of the line.
    const LineTopic* find(std::string_view topic) const;

private:
    Result<LineTopic> prepare_topic(Layouts& layouts, const TopicId& topic);
    Result<TopicInfo> describe_known(const TopicId& topic);
    Result<Layout> begin_line(Layouts& layouts, const TopicInfo& info);
    Result<void> check_new_line(const TopicInfo& info, const TopicSpec* wanted);
    Result<void> check_mark(Layouts& layouts, TopicInfo& info, Layout& layout);
    Result<void> make_owner_rows(Session& session);
    TopicSpec spec_of(const TopicId& topic) const;
    const TopicSpec* wanted_of(const TopicId& topic) const;

    Env& env_;
    Log& log_;
    Store& store_;
    const NodeOptions& options_;
    const Owner owner_;
    RuntimeObserver& observer_;
    std::vector<LineTopic> topics_;
};

/// The topic as it is, or made as `spec` says.
Result<TopicInfo> describe_or_create(Env& env, Log& log, const TopicSpec& spec);

}  // namespace penstock
