#include <fmt/format.h>

#include <array>
#include <charconv>

#include "penstock/apps/sale/claim_view.h"
#include "penstock/apps/sale/flat_json.h"
#include "penstock/apps/sale/sale.h"

namespace penstock::sale {
namespace {

constexpr std::size_t kMaxNameShown = 64;
constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;

Error wrong_member(const Member& member, std::string_view give) {
    return error(Code::invalid, fmt::format("the member {} must be {}", member.name, give));
}

Error unknown_member(const Member& member, std::string_view known) {
    return error(Code::invalid, fmt::format("the member {} is not known here: the members are {}",
                                            member.name.substr(0, kMaxNameShown), known));
}

Error missing(std::string_view name) {
    return error(Code::invalid, fmt::format("the member {} is missing: give it", name));
}

Result<std::uint32_t> units_of(const Member& member) {
    if (member.kind != Member::Kind::integer || member.integer < 1 ||
        member.integer > kMaxQuantity) {
        return wrong_member(member, "a whole number from 1 to 2147483647");
    }
    return static_cast<std::uint32_t>(member.integer);
}

/// Years 1970 to 9999: what format_rfc3339() writes so that it can be read again.
Result<LogTime> time_of(const Member& member) {
    const auto time = member.kind == Member::Kind::text ? parse_rfc3339(member.text) : std::nullopt;
    if (!time || unix_ms(*time) < 0 || unix_ms(*time) >= kYear10000Ms) {
        return wrong_member(member, "a time as RFC 3339 has it: \"2026-11-21T09:00:00Z\"");
    }
    return *time;
}

/// PostgreSQL's text has no U+0000, so no id may.
Result<std::string> user_of(Member& member) {
    if (member.kind != Member::Kind::text || member.text.empty() ||
        member.text.size() > kMaxUserBytes || member.text.find('\0') != std::string::npos) {
        return wrong_member(member, "a text of 1 to 256 bytes in UTF-8 without U+0000");
    }
    return std::move(member.text);
}

template <class T, class Into>
Result<void> put(Result<T> value, Into& into) {
    if (!value) return std::move(value).error();
    into = std::move(value).value();
    return {};
}

/// Takes user_id and quantity; false: another member.
Result<bool> take_claim_member(Member& member, Claim& claim) {
    if (member.name == "user_id") {
        PENSTOCK_TRY(put(user_of(member), claim.user_id));
    } else if (member.name == "quantity") {
        PENSTOCK_TRY(put(units_of(member), claim.quantity));
    } else {
        return false;
    }
    return true;
}

Result<void> take_id(Member& member, std::optional<std::string>& id) {
    if (member.kind != Member::Kind::text || !is_valid_id(member.text)) {
        return wrong_member(member, "a text of 1 to 128 printable ASCII characters");
    }
    id = std::move(member.text);
    return {};
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (text.size() < prefix.size() || text.compare(0, prefix.size(), prefix) != 0) return false;
    text.remove_prefix(prefix.size());
    return true;
}

constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
    return plain;
}();

}  // namespace

Result<void> check_campaign_id(std::string_view id) {
    const auto fits = [](char c, bool first) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || (c == '.' && !first);
    };
    bool good = !id.empty() && id.size() <= 64;
    for (std::size_t i = 0; good && i < id.size(); ++i) good = fits(id[i], i == 0);
    if (good) return {};
    return error(Code::invalid,
                 "a campaign id has 1 to 64 characters of A-Z a-z 0-9 . _ - and does not begin "
                 "with a dot");
}

Result<Campaign> parse_campaign(std::string_view json) {
    auto members = parse_flat_object(json);
    if (!members) return std::move(members).error();
    Campaign campaign;
    for (Member& member : *members) {
        if (member.name == "quantity") {
            PENSTOCK_TRY(put(units_of(member), campaign.quantity));
        } else if (member.name == "per_user") {
            PENSTOCK_TRY(put(units_of(member), campaign.per_user));
        } else if (member.name == "opens_at") {
            PENSTOCK_TRY(put(time_of(member), campaign.opens_at));
        } else if (member.name == "closes_at") {
            PENSTOCK_TRY(put(time_of(member), campaign.closes_at));
        } else {
            return unknown_member(member, "quantity, per_user, opens_at and closes_at");
        }
    }
    if (campaign.quantity == 0) return missing("quantity");
    if (campaign.opens_at && campaign.closes_at && *campaign.closes_at <= *campaign.opens_at) {
        return error(Code::invalid, "the member closes_at must be a time after opens_at");
    }
    return campaign;
}

Result<Claim> parse_claim(std::string_view json, std::optional<LogTime>* deadline) {
    if (const auto view = scan_canonical(json)) {
        return Claim{std::string(view->user_id), view->quantity};
    }
    auto members = parse_flat_object(json);
    if (!members) return std::move(members).error();
    Claim claim;
    for (Member& member : *members) {
        const auto taken = take_claim_member(member, claim);
        if (!taken) return taken.error();
        if (*taken) continue;
        if (member.name == "deadline" && deadline != nullptr) {
            PENSTOCK_TRY(put(time_of(member), *deadline));
        } else {
            return unknown_member(member, deadline == nullptr ? "user_id and quantity"
                                                              : "user_id, quantity and deadline");
        }
    }
    if (claim.user_id.empty()) return missing("user_id");
    return claim;
}

Result<BatchLine> parse_batch_line(std::string_view json) {
    if (const auto view = scan_canonical(json)) {
        return BatchLine{std::nullopt, Claim{std::string(view->user_id), view->quantity}};
    }
    auto members = parse_flat_object(json);
    if (!members) return std::move(members).error();
    BatchLine line;
    for (Member& member : *members) {
        const auto taken = take_claim_member(member, line.claim);
        if (!taken) return taken.error();
        if (*taken) continue;
        if (member.name != "id") return unknown_member(member, "id, user_id and quantity");
        PENSTOCK_TRY(take_id(member, line.id));
    }
    if (line.claim.user_id.empty()) return missing("user_id");
    return line;
}

std::optional<ClaimView> scan_canonical(std::string_view json) {
    if (!take_prefix(json, R"({"user_id":")")) return std::nullopt;
    std::size_t size = 0;
    while (size < json.size() && kPlain[static_cast<unsigned char>(json[size])]) ++size;
    if (size == 0 || size > kMaxUserBytes) return std::nullopt;
    ClaimView claim{json.substr(0, size), 0};
    json.remove_prefix(size);
    if (!take_prefix(json, R"(","quantity":)") || json.empty() || json[0] == '0') {
        return std::nullopt;
    }
    const auto [end, failure] =
        std::from_chars(json.data(), json.data() + json.size(), claim.quantity);
    json.remove_prefix(static_cast<std::size_t>(end - json.data()));
    if (failure != std::errc{} || claim.quantity > kMaxQuantity || json != "}") return std::nullopt;
    return claim;
}

std::string canonical(const Campaign& campaign) {
    std::string out = fmt::format(R"({{"quantity":{})", campaign.quantity);
    if (campaign.per_user) out += fmt::format(R"(,"per_user":{})", *campaign.per_user);
    if (campaign.opens_at) {
        out += fmt::format(R"(,"opens_at":"{}")", format_rfc3339(*campaign.opens_at));
    }
    if (campaign.closes_at) {
        out += fmt::format(R"(,"closes_at":"{}")", format_rfc3339(*campaign.closes_at));
    }
    return out += '}';
}

std::string canonical(const Claim& claim) {
    std::string out;
    out.reserve(claim.user_id.size() + 40);
    out += R"({"user_id":)";
    append_quoted(out, claim.user_id);
    out += R"(,"quantity":)";
    append_number(out, claim.quantity);
    return out += '}';
}

}  // namespace penstock::sale
