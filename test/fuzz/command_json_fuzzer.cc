// FZ4: the decoder of claims against a second parser (Boost.JSON): both take the same texts for
// claims, with the same values, and the canonical form is read back as what it says.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "penstock/apps/sale/sale.h"
#include "penstock/edge/http/json_in.h"
#include "penstock/edge/http/json_text.h"
#include "penstock/edge/http/response.h"

namespace {

using namespace penstock;

void require(bool holds) {
    if (!holds) std::abort();
}

Result<sale::Claim> parse_with_boost(std::string_view text) {
    auto json = http::parse_json(text, 64);
    if (!json) return std::move(json).error();
    http::Members members(*json);
    members.need("user_id");
    auto user = members.text("user_id", sale::kMaxUserBytes);
    const auto quantity = members.integer("quantity", 1, sale::kMaxQuantity);
    PENSTOCK_TRY(members.done());
    if (user->empty() || user->find('\0') != std::string::npos) {
        return error(Code::invalid, "user_id");
    }
    return sale::Claim{std::move(*user), static_cast<std::uint32_t>(quantity.value_or(1))};
}

std::string compose(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string text = "{";
    for (const auto& [name, value] : members) {
        if (text.size() > 1) text += ',';
        text += http::json_string(name) + ':' + value;
    }
    return text + '}';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto ours = sale::parse_claim(text);
    const auto theirs = parse_with_boost(text);
    require(ours.ok() == theirs.ok());
    if (ours) {
        require(*ours == *theirs);
        const auto again = sale::parse_claim(sale::canonical(*ours));
        require(again.ok() && *again == *ours);
    }
    if (const auto campaign = sale::parse_campaign(text)) {
        const auto again = sale::parse_campaign(sale::canonical(*campaign));
        require(again.ok() && *again == *campaign);
    }
    const auto json = http::parse_json(text, 64);
    const auto members = http::split_object(text, 64, http::MemberOrder::sorted);
    require(members.ok() == (json.ok() && json->is_object()));
    if (members) {
        const std::string canonical = compose(*members);
        const auto again = http::split_object(canonical, 64, http::MemberOrder::sorted);
        require(again.ok() && *again == *members);
    }
    return 0;
}
