#include <algorithm>

#include "penstock/apps/sale/sale.h"
#include "penstock/edge/http/command_call.h"
#include "penstock/edge/http/json_in.h"
#include "penstock/edge/http/json_text.h"

namespace penstock::http {
namespace {

/// Data in the one form that its type has, defaults filled in: it is what ids are compared by.
Result<std::string> canonical_data(std::string_view type, std::string text) {
    if (type == sale::kClaim) {
        auto claim = sale::parse_claim(text);
        if (!claim) return claim.error();
        return sale::canonical(*claim);
    }
    if (type == sale::kCreate) {
        auto campaign = sale::parse_campaign(text);
        if (!campaign) return campaign.error();
        return sale::canonical(*campaign);
    }
    return text;
}

struct ParsedCommand {
    std::optional<std::string> id;
    std::string key, target, data;
    std::optional<LogTime> deadline;
};

Result<ParsedCommand> parse_command(std::string_view type, const Request& request,
                                    std::size_t depth) {
    auto json = parse_json(request.body, depth);
    if (!json) return std::move(json).error();
    Members members(*json);
    ParsedCommand out;
    members.need("key");
    members.need("data");
    out.id = members.text("id", kMaxIdBytes);
    out.key = members.text("key", kMaxKeyBytes).value_or("");
    out.target = members.text("target", kMaxTargetBytes).value_or("");
    out.deadline = members.time("deadline");
    members.any("data");
    if (out.id && request.count("Idempotency-Key") > 0) {
        members.complain("give the id as Idempotency-Key or as `id`, not both");
    }
    PENSTOCK_TRY(members.done());
    auto texts = split_object(request.body, depth, MemberOrder::sorted);
    if (!texts) return std::move(texts).error();
    const auto data = std::find_if(texts->begin(), texts->end(),
                                   [](const auto& member) { return member.first == "data"; });
    auto canonical = canonical_data(type, std::move(data->second));
    if (!canonical) return std::move(canonical).error();
    out.data = std::move(*canonical);
    return out;
}

void submit_command(Context& context, const ExchangePtr& exchange, const Request& request,
                    const std::string& type) {
    if (!is_valid_id(type) || type.size() > kMaxTypeBytes) {
        return exchange->fail(invalid("a type is 1 to 128 printable ASCII characters"));
    }
    auto parsed = parse_command(type, request, context.limits().json_depth);
    if (!parsed) return exchange->fail(problem_of(parsed.error()));
    auto id = parsed->id ? command_id(context, std::string_view(*parsed->id))
                         : command_id(context, request);
    if (!id) return exchange->fail(problem_of(id.error()));
    CommandCallOptions options;
    options.type = type;
    options.key = std::move(parsed->key);
    options.preference = preference(request);
    options.traceparent = traceparent(request);
    call_command(context, exchange, std::move(options),
                 {std::move(*id), std::move(parsed->data), std::move(parsed->target),
                  parsed->deadline, std::nullopt});
}

}  // namespace

void add_command_routes(Context& context, Router& router) {
    router.add({Method::post, "/v1/commands/{type}", context.limits().body_bytes,
                [&context](const ExchangePtr& e, const Request& r, const PathParameters& names) {
                    submit_command(context, e, r, names[0]);
                }});
    router.add({Method::get, "/v1/commands/{id}", 0,
                [&context](const ExchangePtr& e, const Request&, const PathParameters& names) {
                    ask_for_outcome(context, e, Noun::command, names[0]);
                }});
}

}  // namespace penstock::http
