#include "penstock/edge/http/worker.h"

namespace penstock::http {

Worker::Worker(Env& env, std::string name)
    : wake_(env.executor.make_wake()), jobs_(kMaxQueued, *wake_) {
    task_ = env.executor.spawn(std::move(name), [this] { body(); });
}

Worker::~Worker() {
    jobs_.close();
    stop_ = true;
    wake_->notify();
    task_.reset();
}

void Worker::body() {
    std::vector<std::function<void()>> jobs;
    while (true) {
        const bool last = stop_;
        jobs_.drain(jobs);
        for (const auto& job : jobs) job();
        if (last) return;
        if (jobs.empty()) wake_->wait_until(kNever);
    }
}

}  // namespace penstock::http
