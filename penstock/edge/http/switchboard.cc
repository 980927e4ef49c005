#include "penstock/edge/http/switchboard.h"

#include <algorithm>
#include <iterator>

namespace penstock::http {

Switchboard::Switchboard(Requester& requester, std::shared_ptr<Inbox> inbox)
    : requester_(requester), inbox_(std::move(inbox)) {}

void Switchboard::add(std::shared_ptr<Caller> caller, std::span<const Submission> submissions) {
    for (std::size_t i = 0; i < submissions.size(); ++i) {
        queued_.push_back(submissions[i]);
        queued_owners_.push_back({caller, static_cast<std::uint32_t>(i)});
    }
}

void Switchboard::look_up(std::shared_ptr<Caller> caller, const Uuid& id) {
    look_ups_.emplace_back(Owner{std::move(caller), 0}, id);
}

std::uint64_t Switchboard::open_group(std::span<Owner> owners) {
    if (free_groups_.empty()) {
        free_groups_.push_back(groups_.size());
        groups_.emplace_back();
    }
    const std::size_t index = free_groups_.back();
    free_groups_.pop_back();
    Group& group = groups_[index];
    group.owners.assign(std::make_move_iterator(owners.begin()),
                        std::make_move_iterator(owners.end()));
    group.open = owners.size();
    const MutexLock lock(mutex_);
    expected_ += owners.size();
    return static_cast<std::uint64_t>(index) << kGroupShift;
}

void Switchboard::flush() {
    if (flushing_) return;  // a caller asks for more while it is being answered
    flushing_ = true;
    {
        const MutexLock lock(mutex_);
        quiet_ = true;
    }
    while (has_queued()) {
        const std::vector<Submission> submissions = std::exchange(queued_, {});
        std::vector<Owner> owners = std::exchange(queued_owners_, {});
        for (std::size_t at = 0; at < submissions.size(); at += kMaxGroup) {
            const std::size_t n = std::min(kMaxGroup, submissions.size() - at);
            const std::uint64_t tag = open_group(std::span(owners).subspan(at, n));
            requester_.submit(std::span(submissions).subspan(at, n), tag, *this);
        }
        auto look_ups = std::exchange(look_ups_, {});
        for (auto& [owner, id] : look_ups) {
            requester_.look_up(id, open_group(std::span(&owner, 1)), *this);
        }
        deliver();
    }
    bool more;
    {
        const MutexLock lock(mutex_);
        quiet_ = false;
        more = !replies_.empty();
    }
    flushing_ = false;
    if (more) wake();
}

void Switchboard::replied(std::span<Reply> replies) noexcept {
    std::shared_ptr<Switchboard> last;  // let go after the lock
    bool first = false;
    {
        const MutexLock lock(mutex_);
        expected_ -= replies.size();
        if (abandoned_) {
            if (expected_ == 0) last = std::move(abandoned_);
        } else {
            first = replies_.empty() && !quiet_;
            replies_.insert(replies_.end(), std::make_move_iterator(replies.begin()),
                            std::make_move_iterator(replies.end()));
        }
    }
    if (first) wake();
}

void Switchboard::wake() {
    inbox_->post([self = shared_from_this()] { self->deliver(); });
}

void Switchboard::abandon() {
    queued_.clear();
    queued_owners_.clear();
    look_ups_.clear();
    groups_.clear();
    const MutexLock lock(mutex_);
    replies_.clear();
    if (expected_ > 0) abandoned_ = shared_from_this();
}

void Switchboard::deliver() {
    delivering_.clear();
    {
        const MutexLock lock(mutex_);
        delivering_.swap(replies_);
    }
    for (Reply& reply : delivering_) deliver(reply);
}

void Switchboard::deliver(Reply& reply) {
    const std::size_t index = reply.tag >> kGroupShift;
    Group& group = groups_[index];
    const Owner owner =
        std::move(group.owners[reply.tag & ((std::uint64_t{1} << kGroupShift) - 1)]);
    if (--group.open == 0) free_groups_.push_back(index);
    owner.caller->replied(owner.index, reply.answer);
}

}  // namespace penstock::http
