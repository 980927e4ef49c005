#include "penstock/runtime/reader.h"

#include <algorithm>

#include "penstock/runtime/failed_session.h"

namespace penstock {

Reader::Reader(Env& env, Store& store, std::size_t max_queued)
    : env_(env), store_(store), wake_(env.executor.make_wake()), jobs_(max_queued, *wake_) {}

Reader::~Reader() {
    stop();
}

Result<void> Reader::start() {
    auto session = store_.open(Role::reader, SessionLimits{});
    if (!session) return session.error();
    session_ = std::move(session).value();
    task_ = env_.executor.spawn("reader", [this] { body(); });
    return {};
}

bool Reader::run(std::function<void(Session&)> job) {
    return jobs_.push(Job{std::move(job), {}, {}});
}

bool Reader::find(const Uuid& id, Found found) {
    return jobs_.push(Job{{}, id, std::move(found)});
}

void Reader::stop() {
    jobs_.close();
    stopping_ = true;
    wake_->notify();
    task_.reset();
}

void Reader::body() {
    std::vector<Job> jobs;
    for (;;) {
        const bool last = stopping_;
        jobs_.drain(jobs);
        if (jobs.empty()) {
            if (last) return;
            wake_->wait_until(kNever);
            continue;
        }
        auto begun = session_->begin();
        if (!begun && begun.error().lost == Lost::session && session_->reconnect()) {
            begun = session_->begin();
        }
        if (begun) {
            answer(jobs, *session_);
            session_->rollback();
        } else {
            FailedSession failed(begun.error());
            answer(jobs, failed);
        }
    }
}

void Reader::answer(std::vector<Job>& jobs, Session& session) {
    std::vector<Uuid> ids;
    for (const Job& job : jobs) {
        if (job.found) ids.push_back(job.id);
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    const auto all = find_outcomes(session, ids);
    for (Job& job : jobs) {
        if (job.run) {
            job.run(session);
        } else if (!all) {
            job.found(all.error());
        } else {
            const auto at = std::lower_bound(ids.begin(), ids.end(), job.id) - ids.begin();
            job.found((*all)[static_cast<std::size_t>(at)]);
        }
    }
}

}  // namespace penstock
