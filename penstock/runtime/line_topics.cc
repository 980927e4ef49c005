#include "penstock/runtime/line_topics.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/runtime/history.h"
#include "penstock/runtime/line_mark.h"

namespace penstock {
namespace {

constexpr std::string_view kUnmarked = "unmarked";
constexpr std::chrono::seconds kSpreads{3};
constexpr std::chrono::milliseconds kLookAgain{50};

Error other_count(std::string_view topic, std::size_t has, std::uint32_t wanted) {
    return error(Code::unsafe,
                 fmt::format("topic {} has {} partitions and log.partitions is {}: set "
                             "log.partitions = {}; the number of a line that is in use does not "
                             "change",
                             topic, has, wanted, has));
}

/// A topic that another process has just made may not be known everywhere yet.
Result<TopicInfo> describe_soon(Env& env, Log& log, const TopicId& topic) {
    const auto pause = env.executor.make_wake();
    const MonoTime until = env.clock.mono() + kSpreads;
    for (;;) {
        auto described = log.describe(topic);
        if (described) return std::move(described->front());
        const MonoTime now = env.clock.mono();
        if (described.error().code != Code::not_found || now >= until) return described.error();
        pause->wait_until(now + kLookAgain);
    }
}

Error not_ours(std::string_view topic, const FirstRecord& first, const Layout& layout) {
    const bool marked = first.kind == FirstRecord::Kind::mark;
    const std::string said = marked ? format_uuid(first.line) : std::string(kUnmarked);
    return error(
        Code::unsafe,
        fmt::format("topic {} is not this database's: {}, and the database has line {}. Two "
                    "databases must not decide one topic: use the one that belongs to it, another "
                    "cluster, or an empty topic. Only where the other one is gone for ever: "
                    "log.adopt = \"{}\" builds this one from the topic",
                    topic,
                    marked ? "its first record names line " + said
                           : std::string("its first record names no line"),
                    format_uuid(layout.line), said));
}

}  // namespace

Result<TopicInfo> describe_or_create(Env& env, Log& log, const TopicSpec& spec) {
    auto described = log.describe(spec.topic);
    if (!described && described.error().code == Code::not_found) {
        const auto created = log.create(spec);
        // Another process may have been quicker.
        if (!created && created.error().code != Code::exists) return created.error();
        return describe_soon(env, log, spec.topic);
    }
    if (!described) return std::move(described).error();
    return std::move(described->front());
}

LineTopics::LineTopics(Env& env, Log& log, Store& store, const NodeOptions& options, Owner owner,
                       RuntimeObserver& observer)
    : env_(env),
      log_(log),
      store_(store),
      options_(options),
      owner_(std::move(owner)),
      observer_(observer) {}

Result<void> LineTopics::prepare(std::span<const Route> routes) {
    auto session = store_.open(Role::owner, SessionLimits{});
    if (!session) return std::move(session).error();
    Layouts layouts(**session, owner_.group);
    PENSTOCK_TRY(layouts.prepare(store_.dialect()));
    for (const Route& route : routes) {
        if (find(route.topic) != nullptr) continue;
        auto topic = prepare_topic(layouts, TopicId(route.topic));
        if (!topic) return std::move(topic).error();
        topics_.push_back(std::move(*topic));
    }
    return make_owner_rows(**session);
}

const LineTopic* LineTopics::find(std::string_view topic) const {
    for (const LineTopic& one : topics_) {
        if (one.info.spec.topic.value() == topic) return &one;
    }
    return nullptr;
}

Result<LineTopic> LineTopics::prepare_topic(Layouts& layouts, const TopicId& topic) {
    const auto known = layouts.find(topic);
    if (!known) return known.error();
    auto info = *known ? describe_known(topic) : describe_or_create(env_, log_, spec_of(topic));
    if (!info) return std::move(info).error();
    auto layout = *known ? Result<Layout>(**known) : begin_line(layouts, *info);
    if (!layout) return std::move(layout).error();
    const TopicSpec* wanted = wanted_of(topic);
    if (wanted != nullptr && wanted->partitions != layout->partitions) {
        return other_count(topic.value(), layout->partitions, wanted->partitions);
    }
    if (options_.mark_topics) PENSTOCK_TRY(check_mark(layouts, *info, *layout));
    std::vector<PartitionInfo>& partitions = info->partitions;
    if (partitions.size() < layout->partitions) {
        return diverged({topic, PartitionId(static_cast<std::uint32_t>(partitions.size()))},
                        "the log has no such partition any more");
    }
    if (partitions.size() > layout->partitions) {
        observer_.say(RuntimeObserver::Level::warning,
                      fmt::format("topic {} has {} partitions, of which the line uses {}: what "
                                  "lies in the others is not run",
                                  topic.value(), partitions.size(), layout->partitions));
        partitions.resize(layout->partitions);
    }
    return LineTopic{std::move(*info), *layout};
}

/// A topic of which the store has a row.
Result<TopicInfo> LineTopics::describe_known(const TopicId& topic) {
    auto info = describe_soon(env_, log_, topic);
    if (info || info.error().code != Code::not_found) return info;
    return diverged({topic, PartitionId(0)}, "the log has no such topic");
}

/// The store's row of a topic that it did not know.
Result<Layout> LineTopics::begin_line(Layouts& layouts, const TopicInfo& info) {
    const TopicId& topic = info.spec.topic;
    if (auto fine = check_new_line(info, wanted_of(topic)); !fine) {
        // Another process of this store may have begun the line, and commands came since.
        const auto known = layouts.find(topic);
        return known && *known ? Result<Layout>(**known) : Result<Layout>(std::move(fine).error());
    }
    return layouts.begin(topic, Layout{make_uuid_v7(env_.clock.wall(), env_.random), LayoutId(1),
                                       static_cast<std::uint32_t>(info.partitions.size())});
}

/// A store that knows nothing of the topic is built from what stands on it.
Result<void> LineTopics::check_new_line(const TopicInfo& info, const TopicSpec* wanted) {
    if (wanted != nullptr && wanted->partitions != info.partitions.size()) {
        return other_count(info.spec.topic.value(), info.partitions.size(), wanted->partitions);
    }
    for (const PartitionInfo& partition : info.partitions) {
        PENSTOCK_TRY(check_replayable(log_, {info.spec.topic, partition.partition}, partition));
    }
    return {};
}

Result<void> LineTopics::check_mark(Layouts& layouts, TopicInfo& info, Layout& layout) {
    const TopicId topic = info.spec.topic;
    auto first = read_first_record(log_, info);
    if (first && first->kind == FirstRecord::Kind::none) {
        // Of unknown effect: the record that is read next tells.
        const auto marked = append_mark(env_, log_, topic, layout.line);
        if (!marked && marked.error().effect == Effect::none) return marked.error();
        auto again = describe_soon(env_, log_, topic);
        if (!again) return std::move(again).error();
        info = std::move(*again);
        first = read_first_record(log_, info);
    }
    if (!first) return std::move(first).error();
    switch (first->kind) {
        case FirstRecord::Kind::none:
            return error(
                Code::unreachable,
                fmt::format("topic {}: its first record is in doubt; start again", topic.value()));
        case FirstRecord::Kind::gone:
            return {};  // the owner rows tell what this store was fed from
        case FirstRecord::Kind::mark:
        case FirstRecord::Kind::foreign:
            break;
    }
    if (first->line == layout.line) return {};  // without a mark: what was adopted has none
    const bool marked = first->kind == FirstRecord::Kind::mark;
    if (options_.adopt != (marked ? format_uuid(first->line) : kUnmarked)) {
        return not_ours(topic.value(), *first, layout);
    }
    PENSTOCK_TRY(layouts.adopt(topic, first->line));
    layout.line = first->line;
    observer_.say(RuntimeObserver::Level::warning,
                  fmt::format("topic {} is this database's now", topic.value()));
    return {};
}

Result<void> LineTopics::make_owner_rows(Session& session) {
    Ownership ownership(owner_);
    PENSTOCK_TRY(ownership.prepare(session, store_.dialect()));
    PENSTOCK_TRY(session.begin());
    for (const LineTopic& topic : topics_) {
        for (const PartitionInfo& info : topic.info.partitions) {
            const TopicPartition at{topic.info.spec.topic, info.partition};
            if (auto made = ownership.make(session, at, info.uuid); !made) {
                session.rollback();
                return made;
            }
        }
    }
    return session.commit();
}

TopicSpec LineTopics::spec_of(const TopicId& topic) const {
    const TopicSpec* wanted = wanted_of(topic);
    return wanted != nullptr ? *wanted : TopicSpec{topic, 1, std::nullopt, std::nullopt};
}

const TopicSpec* LineTopics::wanted_of(const TopicId& topic) const {
    const auto found = std::find_if(options_.topics.begin(), options_.topics.end(),
                                    [&](const TopicSpec& spec) { return spec.topic == topic; });
    return found == options_.topics.end() ? nullptr : &*found;
}

}  // namespace penstock
