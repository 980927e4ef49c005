#include "penstock/verify/model.h"

#include <fmt/format.h>

namespace penstock::verify {
namespace {

Expected refusal(std::string reason, std::optional<std::string> text) {
    return Expected{false, std::move(reason), std::move(text), std::nullopt};
}

Expected done(std::string reply) {
    return Expected{true, {}, std::move(reply), std::nullopt};
}

}  // namespace

Campaign* Model::find(std::string_view id) {
    const auto at = campaigns_.find(id);
    return at == campaigns_.end() ? nullptr : &at->second;
}

Expected Model::decide(const Entry& entry, std::int64_t decided_at_ms, const ClaimBody* body,
                       std::int64_t held) {
    if (entry.deadline && unix_ms(*entry.deadline) < decided_at_ms) {
        return refusal("expired", "its deadline had passed when its turn came");
    }
    if (entry.type == "sale.create") return create(entry);
    if (entry.type == "sale.close") return close(entry);
    if (entry.type == "sale.claim") return claim(entry, body, held);
    if (entry.type == "penstock.line") return done("");
    return refusal("unknown_type", "no handler is registered for this type");
}

Expected Model::create(const Entry& entry) {
    const auto body = read_campaign_body(entry.data);
    if (!body || !is_campaign_id(entry.key)) return refusal("invalid", std::nullopt);
    const Campaign* there = find(entry.key);
    if (there != nullptr && there->body != *body) {
        return refusal("conflict", "a campaign with this id is there already, with other settings");
    }
    return done(fmt::format(R"({{"campaign":{},"created":{}}})", quoted(entry.key),
                            there == nullptr ? "true" : "false"));
}

Expected Model::close(const Entry& entry) {
    if (find(entry.key) == nullptr) {
        return refusal("no_campaign", "there is no campaign with this id");
    }
    return done(fmt::format(R"({{"campaign":{},"closed":true}})", quoted(entry.key)));
}

Expected Model::claim(const Entry& entry, const ClaimBody* body, std::int64_t held) {
    if (body == nullptr) return refusal("invalid", std::nullopt);
    const Campaign* campaign = find(entry.key);
    if (campaign == nullptr) return refusal("no_campaign", "there is no campaign with this id");
    const CampaignBody& rules = campaign->body;
    if (campaign->closed || (rules.closes_at && entry.time >= *rules.closes_at)) {
        return refusal("closed", "the campaign is closed");
    }
    if (rules.opens_at && entry.time < *rules.opens_at) {
        return refusal("not_open", "the campaign opens at " + format_rfc3339(*rules.opens_at));
    }
    if (rules.per_user && held + body->quantity > *rules.per_user) {
        return refusal("limit_reached", fmt::format("a user may have {}, and this one has {}",
                                                    *rules.per_user, held));
    }
    const std::int64_t left = rules.quantity - campaign->granted;
    if (left <= 0) return refusal("sold_out", fmt::format("all {} are granted", rules.quantity));
    if (left < body->quantity) return refusal("not_enough", fmt::format("only {} left", left));
    const std::int64_t position = campaign->granted + 1;
    Expected granted = done(fmt::format(R"({{"claim_id":{},"position":{},"offset":{}}})",
                                        quoted(entry.id_text), position, entry.offset));
    granted.granted = Granted{position, body->quantity, body->user_id};
    return granted;
}

void Model::apply(const Entry& entry, const Expected& expected, std::int64_t decided_at_ms) {
    if (!expected.done) return;
    Campaign* there = find(entry.key);
    if (entry.type == "sale.create" && there == nullptr) {
        Campaign& made = campaigns_[std::string(entry.key)];
        made.body = *read_campaign_body(entry.data);
        made.created_at_ms = decided_at_ms;
        made.created_offset = static_cast<std::int64_t>(entry.offset);
    } else if (entry.type == "sale.close") {
        there->closed = true;
    } else if (expected.granted) {
        there->granted += expected.granted->quantity;
    }
}

}  // namespace penstock::verify
