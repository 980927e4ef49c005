#pragma once

#include "penstock/store/store.h"

namespace penstock {

/// Stands in for a session that could not begin: every call says why.
class FailedSession final : public Session {
public:
    explicit FailedSession(Error why) : why_(std::move(why)) {}

    Result<StatementId> prepare(std::string_view) override { return why_; }
    Result<void> begin() override { return why_; }
    std::size_t run(std::span<const Call> calls, std::span<Result<Rows>> out) override {
        if (!calls.empty()) out[0] = why_;
        return calls.empty() ? 0 : 1;
    }
    Result<Rows> run_many(StatementId, std::span<const Value>) override { return why_; }
    Result<void> savepoint() override { return why_; }
    Result<void> rollback_to_savepoint() override { return why_; }
    Result<void> commit() override { return why_; }
    void rollback() noexcept override {}
    Result<void> reconnect() override { return why_; }

private:
    const Error why_;
};

}  // namespace penstock
