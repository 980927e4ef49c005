#pragma once

#include <memory>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/runtime/requester.h"

namespace penstock::bench {

/// Asynchronous callers on one thread, as an edge would have them: each has one claim on its way,
/// and all whose answers came together go on together. The claims are made before the clock runs.
class Callers final : public ReplySink {
public:
    struct Claim {
        std::string id, data;
        Submission submission;  ///< borrows from these
        MonoTime asked_at{}, answered_at{};
        bool granted = false;
    };

    Callers(Env& env, const std::string& campaign, std::size_t claims);

    /// Until all are answered, `at_once` callers; how long that took.
    std::chrono::duration<double> ask(Requester& requester, std::size_t at_once);
    const std::vector<std::unique_ptr<Claim>>& claims() const { return claims_; }

    void replied(std::span<Reply> replies) noexcept override;

private:
    void ask_next(Requester& requester, std::size_t count);

    Env& env_;
    const std::string campaign_;
    std::vector<std::unique_ptr<Claim>> claims_;
    std::size_t next_ = 0;
    std::vector<Submission> batch_;
    const std::unique_ptr<Wake> wake_;
    Guarded<std::vector<Reply>> replies_;
};

}  // namespace penstock::bench
