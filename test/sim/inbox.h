#pragma once

#include <map>
#include <memory>
#include <optional>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/runtime/requester.h"

namespace penstock::test {

/// Keeps replies until somebody asks for them by their tag. Threads: replied() any; the rest one.
class Inbox final : public ReplySink {
public:
    explicit Inbox(Env& env) : env_(env), wake_(env.executor.make_wake()) {}

    std::uint64_t new_tag() { return next_tag_++; }
    void replied(std::span<Reply> replies) noexcept override {
        replies_.with([&](auto& all) {
            for (Reply& reply : replies) {
                doubled_ = doubled_ || !all.emplace(reply.tag, std::move(reply.answer)).second;
            }
        });
        wake_->notify();
    }
    /// nullopt: nothing came for `patience`.
    std::optional<Answered> wait(std::uint64_t tag,
                                 std::chrono::seconds patience = std::chrono::minutes(10)) {
        const MonoTime until = env_.clock.mono() + patience;
        for (;;) {
            if (auto answer = find(tag)) return answer;
            if (!wake_->wait_until(until)) return find(tag);
        }
    }
    std::optional<Answered> find(std::uint64_t tag) {
        return replies_.with([&](auto& all) -> std::optional<Answered> {
            const auto found = all.find(tag);
            if (found == all.end()) return std::nullopt;
            return found->second;
        });
    }
    std::size_t count() {
        return replies_.with([](auto& all) { return all.size(); });
    }
    /// A tag was answered twice.
    bool doubled() const { return doubled_; }

private:
    Env& env_;
    const std::unique_ptr<Wake> wake_;
    Guarded<std::map<std::uint64_t, Answered>> replies_;
    std::uint64_t next_tag_ = 0;
    bool doubled_ = false;
};

}  // namespace penstock::test
