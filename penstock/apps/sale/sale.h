#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/core/handler.h"

/// Campaigns of a limited number of units, and claims on them: granted exactly N, in the order of
/// the log, so many per user.
namespace penstock::sale {

inline constexpr std::string_view kTopic = "sale";
inline constexpr std::string_view kCreate = "sale.create";  ///< key: campaign id
inline constexpr std::string_view kClose = "sale.close";    ///< key: campaign id
inline constexpr std::string_view kClaim = "sale.claim";    ///< key: campaign id

inline constexpr std::size_t kMaxUserBytes = 256;
inline constexpr std::uint32_t kMaxQuantity = 2'147'483'647;

/// Data of sale.create, canonical JSON members in this order, those without a value left out.
struct Campaign {
    std::uint32_t quantity = 0;                  ///< 1 to 2^31 - 1
    std::optional<std::uint32_t> per_user;       ///< units; none: no limit
    std::optional<LogTime> opens_at, closes_at;  ///< closes_at after opens_at
    friend bool operator==(const Campaign&, const Campaign&) = default;
};

/// Data of sale.claim.
struct Claim {
    std::string user_id;         ///< 1 to 256 bytes of UTF-8
    std::uint32_t quantity = 1;  ///< units
    friend bool operator==(const Claim&, const Claim&) = default;
};

/// `[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}`
Result<void> check_campaign_id(std::string_view id);

/// From JSON as a user sends it: unknown, doubled or missing members, wrong types, fractions,
/// overflow and text that is not UTF-8 are `invalid`, and the text names the member.
Result<Campaign> parse_campaign(std::string_view json);
/// As above. A member `deadline` (RFC 3339) goes to `deadline`, if that is given.
Result<Claim> parse_claim(std::string_view json, std::optional<LogTime>* deadline = nullptr);
/// A line of a batch of claims: `id` as well.
struct BatchLine {
    std::optional<std::string> id;
    Claim claim;
};
Result<BatchLine> parse_batch_line(std::string_view json);

std::string canonical(const Campaign& campaign);
std::string canonical(const Claim& claim);

// Reasons with which the owner refuses; the gate's words are the same.
inline constexpr const char* kSoldOut = "sold_out";
inline constexpr const char* kNotEnough = "not_enough";
inline constexpr const char* kLimitReached = "limit_reached";
inline constexpr const char* kNotOpen = "not_open";
inline constexpr const char* kClosed = "closed";
inline constexpr const char* kNoCampaign = "no_campaign";
inline constexpr const char* kConflict = "conflict";  ///< the campaign exists with another body
inline constexpr const char* kInvalid = "invalid";    ///< data that is not of the form above

// Replies (JSON, the bytes that every attempt gets):
//   sale.claim   {"claim_id":"…","position":17,"offset":4711}     position: of the first unit
//   sale.create  {"campaign":"…","created":true}   created false: it was there with this body
//   sale.close   {"campaign":"…","closed":true}

/// A campaign as the store has it.
struct CampaignRow {
    std::string id;
    Campaign campaign;
    std::uint64_t granted = 0;  ///< units
    bool closed = false;        ///< by command
    LogTime created_at{};
};
/// All campaigns, or the one.
Result<std::vector<CampaignRow>> read_campaigns(Session& reader, std::string_view only = {});

struct GrantRow {
    std::uint64_t position = 0;
    std::string user_id, claim_id;
    std::uint32_t quantity = 0;
    std::uint64_t offset = 0;
    LogTime granted_at{};
};
/// Grants of a campaign by position, those after `after_position`, at most `limit`; `user_id`
/// empty: all users.
Result<std::vector<GrantRow>> read_grants(Session& reader, std::string_view campaign,
                                          std::string_view user_id, std::uint64_t after_position,
                                          std::size_t limit);

/// The sale as the runtime sees it.
std::unique_ptr<App> make_sale();

}  // namespace penstock::sale
