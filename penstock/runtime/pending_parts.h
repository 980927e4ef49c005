#pragma once

#include "penstock/runtime/pending.h"

/// What the files of LineRequester share.
namespace penstock {

inline Error in_line_elsewhere() {
    return unknown_effect(Code::not_ready,
                          "a command with this id was admitted before and is not decided yet; ask "
                          "again with the same id");
}

inline Error too_many_questions() {
    return error(Code::overloaded, "too many questions wait for the store; try again later");
}

/// Groups replies by sink, so that each is told once; in the order of their first replies, never in
/// that of addresses.
class LineRequester::Outbox {
public:
    /// `expected`: replies to the first sink.
    explicit Outbox(std::size_t expected = 1) : expected_(expected) {}
    ~Outbox() {
        for (Group& group : groups_) {
            group.sink->replied({group.replies.data(), group.replies.size()});
        }
    }
    void add(const Waiter& waiter, Answered answer) {
        group_of(waiter.sink).replies.push_back(Reply{waiter.tag, std::move(answer)});
    }
    void add_all(const std::vector<Waiter>& waiters, const Answered& answer) {
        for (const Waiter& waiter : waiters) add(waiter, answer);
    }

private:
    struct Group {
        ReplySink* sink;
        boost::container::small_vector<Reply, 1> replies;
    };
    Group& group_of(ReplySink* sink) {
        // Nearly always the latest: a process has one sink for all its callers.
        for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
            if (group->sink == sink) return *group;
        }
        Group& group = groups_.emplace_back(Group{sink, {}});
        if (groups_.size() == 1) group.replies.reserve(expected_);
        return group;
    }
    const std::size_t expected_;
    boost::container::small_vector<Group, 1> groups_;
};

}  // namespace penstock
