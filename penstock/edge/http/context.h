#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/edge/http/answers.h"
#include "penstock/edge/http/api.h"
#include "penstock/edge/http/exchange.h"

/// What the groups of calls share.
namespace penstock::http {

/// Threads: the loop, but `inbox`.
class Context {
public:
    explicit Context(ApiParts parts) : parts_(std::move(parts)) {}

    Env& env() const { return parts_.env; }
    Node& node() const { return parts_.node; }
    Log& log() const { return parts_.log; }
    Gate& gate() const { return parts_.gate; }
    Metrics& metrics() const { return parts_.metrics; }
    Loop& loop() const { return parts_.loop; }
    const HttpLimits& limits() const { return parts_.limits; }
    const std::string& version() const { return parts_.version; }

    /// As of the last look.
    bool ready() const { return ready_; }
    Readiness look_ready();
    /// False: the node is not ready, which the exchange has been told.
    bool must_be_ready(const ExchangePtr& exchange);
    /// What takes longer than callers wait is answered 504, effect unknown.
    void limit_wait(const ExchangePtr& exchange);

    /// Runs `job` on the reader's thread; what it returns runs on the loop. Answers the exchange
    /// itself where that is not possible.
    void read(const ExchangePtr& exchange, std::function<std::function<void()>(Session&)> job);
    /// The same for calls that block on the log's disk.
    void block(const ExchangePtr& exchange, std::function<std::function<void()>()> job);
    /// Runs `look` where calls may block, then `after` on the loop. False: an earlier one is still
    /// at it.
    bool look_at_log(std::function<void()> look, std::function<void()> after);

private:
    ApiParts parts_;
    bool ready_ = false;
    bool looking_at_log_ = false;
};

/// What `Prefer` asks for (RFC 7240); what is not understood is passed over.
struct Preference {
    bool respond_async = false;
    std::optional<std::chrono::seconds> wait;
};
Preference preference(const Request& request);

/// The caller's id of a command, or one that is made for it.
struct CommandId {
    std::string text;
    Uuid id;
    bool fresh = false;
};
Result<CommandId> command_id(Context& context, std::optional<std::string_view> given);
/// From the Idempotency-Key field.
Result<CommandId> command_id(Context& context, const Request& request);
/// A well-formed W3C traceparent, or nothing.
std::string traceparent(const Request& request);

/// A whole number in a query, or `fallback`; nothing: malformed.
std::optional<std::uint64_t> number(std::optional<std::string_view> text, std::uint64_t fallback);

// The groups. Each adds its routes; `context` outlives them.
void add_campaign_routes(Context& context, Router& router);
void add_claim_routes(Context& context, Router& router);
void add_command_routes(Context& context, Router& router);
void add_topic_routes(Context& context, Router& router);
void add_record_routes(Context& context, Router& router);
void add_admin_routes(Context& context, Router& router);

}  // namespace penstock::http
