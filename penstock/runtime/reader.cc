#include "penstock/runtime/reader.h"

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
    return jobs_.push(std::move(job));
}

void Reader::stop() {
    jobs_.close();
    stopping_ = true;
    wake_->notify();
    task_.reset();
}

void Reader::body() {
    std::vector<std::function<void(Session&)>> jobs;
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
            for (const auto& job : jobs) job(*session_);
            session_->rollback();
        } else {
            FailedSession failed(begun.error());
            for (const auto& job : jobs) job(failed);
        }
    }
}

}  // namespace penstock
