#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/edge/http/loop.h"

namespace penstock::http {

/// Between the loop and the requester: gathers what one turn submits into one call, and brings
/// replies back to who waits. Threads: the loop; replied() any.
class Switchboard final : public ReplySink, public std::enable_shared_from_this<Switchboard> {
public:
    Switchboard(Requester& requester, std::shared_ptr<Inbox> inbox);

    void add(std::shared_ptr<Caller> caller, std::span<const Submission> submissions);
    void look_up(std::shared_ptr<Caller> caller, const Uuid& id);
    bool has_queued() const { return !queued_.empty() || !look_ups_.empty(); }
    /// Submits what was added, and delivers what was answered on the spot.
    void flush();
    /// The loop has ended: replies that still come are dropped. It lives until the last one.
    void abandon();
    void replied(std::span<Reply> replies) noexcept override;

private:
    struct Owner {
        std::shared_ptr<Caller> caller;
        std::uint32_t index = 0;
    };
    /// Submissions of one call: tag = group << kGroupShift | place in it.
    struct Group {
        std::vector<Owner> owners;
        std::size_t open = 0;
    };
    static constexpr unsigned kGroupShift = 20;
    static constexpr std::size_t kMaxGroup = 16'384;

    void deliver();
    std::uint64_t open_group(std::span<Owner> owners);
    void deliver(Reply& reply);
    void wake();

    Requester& requester_;
    const std::shared_ptr<Inbox> inbox_;
    std::vector<Submission> queued_;
    std::vector<Owner> queued_owners_;
    std::vector<std::pair<Owner, Uuid>> look_ups_;
    std::vector<Group> groups_;
    std::vector<std::size_t> free_groups_;
    std::vector<Reply> delivering_;
    bool flushing_ = false;

    Mutex mutex_;
    std::vector<Reply> replies_ GUARDED_BY(mutex_);
    bool quiet_ GUARDED_BY(mutex_) = false;  ///< the loop is about to look anyway
    std::size_t expected_ GUARDED_BY(mutex_) = 0;
    std::shared_ptr<Switchboard> abandoned_ GUARDED_BY(mutex_);  ///< itself, until the last reply
};

}  // namespace penstock::http
