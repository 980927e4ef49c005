#pragma once

#include <optional>
#include <string_view>

#include "penstock/apps/sale/sale.h"

namespace penstock::sale {

/// A claim whose user id is borrowed from the JSON that it was read from.
struct ClaimView {
    std::string_view user_id;
    std::uint32_t quantity = 1;
};

/// A claim in exactly the canonical form, in ASCII without escapes; none: ask parse_claim().
std::optional<ClaimView> scan_canonical(std::string_view json);

}  // namespace penstock::sale
