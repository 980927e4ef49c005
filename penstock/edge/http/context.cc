#include "penstock/edge/http/context.h"

#include <charconv>

namespace penstock::http {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

void take_preference(std::string_view text, Preference& preference) {
    if (equals_ignoring_case(text, "respond-async")) preference.respond_async = true;
    static constexpr std::string_view kWait = "wait=";
    if (text.size() <= kWait.size() || !equals_ignoring_case(text.substr(0, kWait.size()), kWait)) {
        return;
    }
    const auto seconds = number(text.substr(kWait.size()), 0);
    if (seconds) {
        preference.wait = std::chrono::seconds(std::min<std::uint64_t>(*seconds, 24 * 60 * 60));
    }
}

class AllCalls final : public Api {
public:
    explicit AllCalls(ApiParts parts) : context_(std::move(parts)) {}
    void add_routes(Router& router) override {
        add_campaign_routes(context_, router);
        add_claim_routes(context_, router);
        add_command_routes(context_, router);
        add_topic_routes(context_, router);
        add_record_routes(context_, router);
        add_admin_routes(context_, router);
    }
    void tick() override { context_.look_ready(); }

private:
    Context context_;
};

}  // namespace

std::unique_ptr<Api> make_api(ApiParts parts) {
    return std::make_unique<AllCalls>(std::move(parts));
}

Readiness Context::look_ready() {
    Readiness readiness = parts_.node.readiness();
    ready_ = readiness.ready;
    parts_.metrics.ready(ready_);
    return readiness;
}

bool Context::must_be_ready(const ExchangePtr& exchange) {
    if (ready_) return true;
    const Readiness readiness = look_ready();
    if (!readiness.ready) exchange->fail(not_ready(readiness.waits_for));
    return readiness.ready;
}

void Context::limit_wait(const ExchangePtr& exchange) {
    exchange->at_deadline(
        loop().now() + limits().max_wait, [weak = std::weak_ptr<Exchange>(exchange)] {
            if (const auto exchange = weak.lock()) {
                exchange->fail({504, "unknown", "No answer came in time.", Effect::unknown, 1});
            }
        });
}

void Context::read(const ExchangePtr& exchange,
                   std::function<std::function<void()>(Session&)> job) {
    if (!must_be_ready(exchange)) return;
    limit_wait(exchange);
    const bool queued = node().read([inbox = loop().inbox(), job = std::move(job)](
                                        Session& session) { inbox->post(job(session)); });
    if (!queued) {
        exchange->fail({503, "overloaded", "Too many reads wait; try later.", Effect::none, 1});
    }
}

void Context::block(const ExchangePtr& exchange, std::function<std::function<void()>()> job) {
    limit_wait(exchange);
    const bool queued =
        loop().block([inbox = loop().inbox(), job = std::move(job)] { inbox->post(job()); });
    if (!queued) {
        exchange->fail({503, "overloaded", "Too many calls wait; try later.", Effect::none, 1});
    }
}

bool Context::look_at_log(std::function<void()> look, std::function<void()> after) {
    if (looking_at_log_) return false;
    looking_at_log_ = loop().block(
        [this, inbox = loop().inbox(), look = std::move(look), after = std::move(after)] {
            look();
            inbox->post([this, after] {
                looking_at_log_ = false;
                after();
            });
        });
    return looking_at_log_;
}

Preference preference(const Request& request) {
    Preference preference;
    for (const Field& field : request.fields) {
        if (!equals_ignoring_case(field.name, "Prefer")) continue;
        std::string_view rest = field.value;
        while (!rest.empty()) {
            const std::string_view one = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(rest.size(), one.size() + 1));
            take_preference(trimmed(one), preference);
        }
    }
    return preference;
}

Result<CommandId> command_id(Context& context, std::optional<std::string_view> given) {
    if (!given) {
        const Uuid id = make_uuid_v7(context.env().clock.wall(), context.env().random);
        return CommandId{format_uuid(id), id, true};
    }
    if (!is_valid_id(*given)) {
        return error(Code::invalid, "an id is 1 to 128 printable ASCII characters");
    }
    return CommandId{std::string(*given), uuid_of_id(*given), false};
}

Result<CommandId> command_id(Context& context, const Request& request) {
    if (request.count("Idempotency-Key") > 1) {
        return error(Code::invalid, "send one Idempotency-Key");
    }
    return command_id(context, request.field("Idempotency-Key"));
}

std::string traceparent(const Request& request) {
    const auto text = request.field("traceparent");
    if (!text || text->size() != 55) return {};
    for (std::size_t i = 0; i < text->size(); ++i) {
        const char c = (*text)[i];
        const bool dash = i == 2 || i == 35 || i == 52;
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (dash ? c != '-' : !hex) return {};
    }
    return std::string(*text);
}

std::optional<std::uint64_t> number(std::optional<std::string_view> text, std::uint64_t fallback) {
    if (!text) return fallback;
    std::uint64_t value = 0;
    const char* end = text->data() + text->size();
    const auto [stop, bad] = std::from_chars(text->data(), end, value);
    if (bad != std::errc() || stop != end) return std::nullopt;
    return value;
}

}  // namespace penstock::http
