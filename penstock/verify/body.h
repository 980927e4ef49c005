#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/time.h"

/// The JSON of the sale's commands, read anew (docs/decisions/0002-verify-json.md).
namespace penstock::verify {

struct CampaignBody {
    std::int64_t quantity = 0;
    std::optional<std::int64_t> per_user;
    std::optional<LogTime> opens_at, closes_at;
    friend bool operator==(const CampaignBody&, const CampaignBody&) = default;
};

struct ClaimBody {
    std::string user_id;
    std::int64_t quantity = 1;
};

/// None: not of the form that docs/http-api.md gives.
std::optional<CampaignBody> read_campaign_body(std::string_view json);
std::optional<ClaimBody> read_claim_body(std::string_view json);

bool is_campaign_id(std::string_view text);

/// As a JSON string, quotes included.
std::string quoted(std::string_view text);

}  // namespace penstock::verify
