#include <algorithm>

#include "penstock/log/file/partition.h"

namespace penstock::logfile {

void Delivery::run(const std::vector<Ticket>& tickets, const Result<Offset>& base) {
    placed_.clear();
    std::uint64_t first = 0;
    bool one_sink = true;
    for (const Ticket& ticket : tickets) {
        one_sink = one_sink && ticket.sink == tickets.front().sink;
        placed_.push_back({ticket, placed_.size(), first});
        first += ticket.count;
    }
    if (!one_sink) {
        // By sink, the sinks in the order of their first record: the same in every run.
        std::sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
            const std::less<AppendSink*> before;
            if (a.ticket.sink != b.ticket.sink) return before(a.ticket.sink, b.ticket.sink);
            return a.order < b.order;
        });
        std::size_t group = 0;
        for (std::size_t i = 1; i <= placed_.size(); ++i) {
            if (i < placed_.size() && placed_[i].ticket.sink == placed_[group].ticket.sink)
                continue;
            const std::size_t order = placed_[group].order;
            for (; group < i; ++group) placed_[group].order = order;
        }
        std::stable_sort(placed_.begin(), placed_.end(),
                         [](const Placed& a, const Placed& b) { return a.order < b.order; });
    }
    for (std::size_t i = 0; i < placed_.size();) {
        AppendSink* sink = placed_[i].ticket.sink;
        results_.clear();
        for (; i < placed_.size() && placed_[i].ticket.sink == sink; ++i) add(placed_[i], base);
        sink->appended(results_);
    }
}

void Delivery::add(const Placed& placed, const Result<Offset>& base) {
    for (std::uint32_t i = 0; i < placed.ticket.count; ++i) {
        const std::uint64_t tag = placed.ticket.first_tag + i;
        if (base) {
            results_.push_back({tag, Offset(base->value() + placed.first + i)});
        } else {
            results_.push_back({tag, base.error()});
        }
    }
}

}  // namespace penstock::logfile
