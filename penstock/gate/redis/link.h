#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/gate/redis/url.h"

namespace penstock {

struct FreeReply {
    void operator()(redisReply* reply) const { ::freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

/// A connection that never blocks, but for the look-up of the host's name. Errors: unreachable; the
/// connection is of no use after one. Threads: the owner's.
class RedisLink {
public:
    static Result<std::unique_ptr<RedisLink>> start(const RedisUrl& url);

    int fd() const { return context_->fd; }
    bool wants_to_write() const { return !written_; }
    /// Keeps a command until write().
    void send(std::span<const std::string_view> words);
    Result<void> write();
    /// What has come; the replies are taken with next(), null: no more.
    Result<void> read();
    Result<Reply> next();

private:
    struct Free {
        void operator()(redisContext* context) const { ::redisFree(context); }
    };
    explicit RedisLink(redisContext* context, std::string place)
        : context_(context), place_(std::move(place)) {}
    Error failed() const;

    const std::unique_ptr<redisContext, Free> context_;
    const std::string place_;
    bool written_ = true;
};

/// What a server says of itself (INFO).
struct ServerFacts {
    std::string version, run_id, role, policy;
    bool loading = false;
    bool limited = false;  ///< it has a maxmemory
};
ServerFacts facts_of(std::string_view info);
/// Whether a gate may live there. unsafe: the setting's name is in the text. not_ready: later.
Result<void> check(const ServerFacts& facts, std::string_view place, bool any_policy);

}  // namespace penstock
