#include "penstock/main/check.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "penstock/apps/sale/sale.h"
#include "penstock/edge/cli/client.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/main/engines.h"
#include "penstock/main/tables.h"
#include "penstock/runtime/gate_rebuild.h"

namespace penstock {
namespace {

namespace json = boost::json;

std::optional<LogTime> time_of(const json::object& campaign, std::string_view member) {
    const json::value* text = campaign.if_contains(member);
    return text == nullptr ? std::nullopt : parse_rfc3339(text->as_string());
}

GateCounts counts_of(const json::object& campaign) {
    GateCounts counts;
    counts.spec.resource = ResourceId(std::string(campaign.at("campaign").as_string()));
    counts.spec.quantity = campaign.at("quantity").to_number<std::uint32_t>();
    counts.spec.closed = campaign.at("closed").as_bool();
    if (const json::value* limit = campaign.if_contains("per_user")) {
        counts.spec.per_holder = limit->to_number<std::uint32_t>();
    }
    counts.spec.opens_at = time_of(campaign, "opens_at");
    counts.spec.closes_at = time_of(campaign, "closes_at");
    const json::object& gate = campaign.at("gate").as_object();
    counts.granted = gate.at("granted").to_number<std::uint64_t>();
    counts.reserved = gate.at("reserved").to_number<std::uint64_t>();
    counts.open = gate.at("open").as_bool();
    return counts;
}

Result<std::vector<GateCounts>> counts_of_server(cli::HttpClient& client) {
    auto answer = client.call("GET", "/v1/campaigns");
    if (!answer) return std::move(answer).error();
    if (answer->status != 200) {
        return error(Code::unreachable,
                     fmt::format("the server answered {} to GET /v1/campaigns", answer->status));
    }
    std::vector<GateCounts> all;
    try {
        const json::value parsed = json::parse(answer->body);
        const json::array& campaigns =
            parsed.is_array() ? parsed.as_array() : parsed.at("campaigns").as_array();
        for (const json::value& campaign : campaigns)
            all.push_back(counts_of(campaign.as_object()));
    } catch (const std::exception& failure) {
        return error(
            Code::unreachable,
            fmt::format("the server's list of campaigns has another form: {}", failure.what()));
    }
    return all;
}

/// What the gate of a node would hold after a start on this store.
Result<std::vector<GateCounts>> counts_of_start(Env& env, Session& reader) {
    const auto app = sale::make_sale();
    const std::vector<Route> routes = app->routes();
    LocalGate gate(env);
    PENSTOCK_TRY(fill_gate(gate, routes, reader, GateGeneration(1)));
    auto campaigns = read_in_transaction(reader, [&] { return sale::read_campaigns(reader); });
    if (!campaigns) return std::move(campaigns).error();
    std::vector<GateCounts> all;
    for (const sale::CampaignRow& campaign : *campaigns) {
        auto counts = gate.counts(ResourceId(campaign.id));
        if (!counts) return std::move(counts).error();
        all.push_back(std::move(*counts));
    }
    return all;
}

}  // namespace

Result<verify::Verdict> check(Env& env, const CheckOptions& options) {
    const cli::Settings& settings = options.settings;
    if (settings.store.kind == "sqlite" &&
        !env.files.exists(DataDirectory{settings.data}.database())) {
        return error(Code::damaged,
                     fmt::format("{} holds no database; give the data directory of a node with "
                                 "--data",
                                 settings.data));
    }
    auto store = open_store_to_read(env, settings);
    if (!store) return std::move(store).error();
    auto reader = (*store)->open(Role::reader, SessionLimits{});
    if (!reader) return refused_by_store(settings, std::move(reader).error());
    if (auto known = check_tables(**store, **reader); !known) {
        return refused_by_store(settings, std::move(known).error());
    }
    auto gate_reader = (*store)->open(Role::reader, SessionLimits{});
    if (!gate_reader) return std::move(gate_reader).error();
    auto log = open_log_to_read(env, settings);
    if (!log) return std::move(log).error();

    verify::VerifyInput input{**log, **reader};
    input.now = env.clock.wall();
    input.group = settings.runtime.group;
    input.dedup_horizon = settings.runtime.dedup_horizon;
    input.history = options.history;
    std::optional<cli::HttpClient> client;
    if (options.server) {
        auto url = cli::parse_server_url(*options.server);
        if (!url) return std::move(url).error();
        client.emplace(std::move(*url));
        input.gate = [&] { return counts_of_server(*client); };
    } else {
        input.gate = [&] { return counts_of_start(env, **gate_reader); };
    }
    auto verdict = verify::verify(input);
    (*log)->stop(env.clock.mono());
    return verdict;
}

}  // namespace penstock
