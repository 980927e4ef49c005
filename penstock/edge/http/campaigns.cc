#include "penstock/apps/sale/sale.h"
#include "penstock/edge/http/command_call.h"

namespace penstock::http {
namespace {

using Campaigns = std::vector<sale::CampaignRow>;

std::uint64_t backlog(Node& node) {
    std::uint64_t waiting = 0;
    for (const PartitionProgress& progress : node.progress()) {
        if (progress.at.topic.value() != sale::kTopic) continue;
        if (progress.end > progress.next) waiting += progress.end.value() - progress.next.value();
    }
    return waiting;
}

void append_member(std::string& out, const char* name, std::uint64_t value) {
    out += ",\"";
    out += name;
    out += "\":" + std::to_string(value);
}

void append_time(std::string& out, const char* name, const std::optional<LogTime>& time) {
    if (!time) return;
    out += ",\"";
    out += name;
    out += "\":\"" + format_rfc3339(*time) + "\"";
}

void append_campaign(std::string& out, const sale::CampaignRow& row, Gate& gate,
                     std::uint64_t waiting) {
    out += "{\"campaign\":";
    append_json_string(out, row.id);
    append_member(out, "quantity", row.campaign.quantity);
    if (row.campaign.per_user) append_member(out, "per_user", *row.campaign.per_user);
    append_time(out, "opens_at", row.campaign.opens_at);
    append_time(out, "closes_at", row.campaign.closes_at);
    append_time(out, "created_at", row.created_at);
    out += row.closed ? ",\"closed\":true" : ",\"closed\":false";
    append_member(out, "granted", row.granted);
    append_member(out, "remaining", row.campaign.quantity - row.granted);
    append_member(out, "backlog", waiting);
    const auto counts = gate.counts(ResourceId(row.id));
    if (counts) {
        out += ",\"refused\":{\"limit_reached\":" + std::to_string(counts->refused_limit);
        append_member(out, "none_free", counts->refused_none_free);
        append_member(out, "not_enough", counts->refused_not_enough);
        append_member(out, "sold_out", counts->refused_sold_out);
        append_member(out, "not_open", counts->refused_not_open);
        append_member(out, "closed", counts->refused_closed);
        out += "},\"gate\":{\"granted\":" + std::to_string(counts->granted);
        append_member(out, "reserved", counts->reserved);
        out += counts->open ? ",\"open\":true}" : ",\"open\":false}";
    }
    out += '}';
}

void create(Context& context, const ExchangePtr& exchange, const Request& request,
            const std::string& campaign) {
    if (const auto fine = sale::check_campaign_id(campaign); !fine) {
        return exchange->fail(problem_of(fine.error()));
    }
    auto parsed = sale::parse_campaign(request.body);
    if (!parsed) return exchange->fail(problem_of(parsed.error()));
    auto id = command_id(context, request);
    if (!id) return exchange->fail(problem_of(id.error()));
    CommandCallOptions options;
    options.noun = Noun::campaign;
    options.type = sale::kCreate;
    options.key = campaign;
    options.preference = preference(request);
    options.traceparent = traceparent(request);
    call_command(context, exchange, std::move(options),
                 {std::move(*id), sale::canonical(*parsed), "", std::nullopt, std::nullopt});
}

void close(Context& context, const ExchangePtr& exchange, const Request& request,
           const std::string& campaign) {
    if (const auto fine = sale::check_campaign_id(campaign); !fine) {
        return exchange->fail(problem_of(fine.error()));
    }
    if (!request.body.empty() && request.body != "{}") {
        return exchange->fail(invalid("this call takes no body"));
    }
    auto id = command_id(context, request);
    if (!id) return exchange->fail(problem_of(id.error()));
    CommandCallOptions options;
    options.noun = Noun::campaign;
    options.type = sale::kClose;
    options.key = campaign;
    options.preference = preference(request);
    options.traceparent = traceparent(request);
    call_command(context, exchange, std::move(options),
                 {std::move(*id), "{}", "", std::nullopt, std::nullopt});
}

/// `only` empty: all of them.
void show(Context& context, const ExchangePtr& exchange, const std::string& only) {
    context.read(exchange, [&context, exchange, only](Session& session) -> std::function<void()> {
        auto rows = sale::read_campaigns(session, only);
        if (!rows) return [exchange, e = rows.error()] { exchange->fail(problem_of(e)); };
        return [&context, exchange, only, rows = std::make_shared<Campaigns>(std::move(*rows))] {
            if (exchange->over()) return;
            if (!only.empty() && rows->empty()) {
                return exchange->fail({404, "no_campaign", "There is no such campaign."});
            }
            const std::uint64_t waiting = backlog(context.node());
            std::string out = only.empty() ? "{\"campaigns\":[" : "";
            for (const sale::CampaignRow& row : *rows) {
                if (&row != &rows->front()) out += ',';
                append_campaign(out, row, context.gate(), waiting);
            }
            if (only.empty()) out += "]}";
            exchange->respond({200, kJson, std::move(out), ""});
        };
    });
}

}  // namespace

void add_campaign_routes(Context& context, Router& router) {
    const std::size_t body = context.limits().body_bytes;
    router.add({Method::put, "/v1/campaigns/{id}", body,
                [&context](const ExchangePtr& e, const Request& r, const PathParameters& names) {
                    create(context, e, r, names[0]);
                }});
    router.add({Method::post, "/v1/campaigns/{id}:close", body,
                [&context](const ExchangePtr& e, const Request& r, const PathParameters& names) {
                    close(context, e, r, names[0]);
                }});
    router.add({Method::get, "/v1/campaigns", 0,
                [&context](const ExchangePtr& e, const Request&, const PathParameters&) {
                    show(context, e, "");
                }});
    router.add({Method::get, "/v1/campaigns/{id}", 0,
                [&context](const ExchangePtr& e, const Request&, const PathParameters& names) {
                    if (const auto fine = sale::check_campaign_id(names[0]); !fine) {
                        return e->fail(problem_of(fine.error()));
                    }
                    show(context, e, names[0]);
                }});
}

}  // namespace penstock::http
