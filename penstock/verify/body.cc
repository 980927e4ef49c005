#include "penstock/verify/body.h"

#include <boost/json.hpp>

namespace penstock::verify {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMost = 2'147'483'647;

/// Colons outside of texts, directly in the outermost object: one per member as it was written.
std::size_t members_written(std::string_view text) {
    std::size_t count = 0;
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_text) {
            if (c == '\\') ++i;
            if (c == '"') in_text = false;
            continue;
        }
        in_text = c == '"';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        count += c == ':' && depth == 1;
    }
    return count;
}

/// The parser keeps the last of two members of one name: then fewer are there than were written.
std::optional<json::object> read_object(std::string_view text) {
    json::error_code failure;
    json::value value = json::parse(json::string_view(text.data(), text.size()), failure);
    if (failure || !value.is_object()) return std::nullopt;
    if (value.get_object().size() != members_written(text)) return std::nullopt;
    return std::move(value.get_object());
}

bool read_units(const json::value& value, std::int64_t& units) {
    const std::int64_t* whole = value.if_int64();
    if (whole == nullptr || *whole < 1 || *whole > kMost) return false;
    units = *whole;
    return true;
}

bool read_time(const json::value& value, std::optional<LogTime>& time) {
    const json::string* text = value.if_string();
    if (text == nullptr) return false;
    time = parse_rfc3339({text->data(), text->size()});
    return time && unix_ms(*time) >= 0 && unix_ms(*time) < 253'402'300'800'000;
}

bool read_user(const json::value& value, std::string& user_id) {
    const json::string* text = value.if_string();
    if (text == nullptr || text->empty() || text->size() > 256) return false;
    user_id.assign(text->data(), text->size());
    return user_id.find('\0') == std::string::npos;
}

}  // namespace

std::optional<CampaignBody> read_campaign_body(std::string_view text) {
    const auto object = read_object(text);
    if (!object) return std::nullopt;
    CampaignBody body;
    for (const auto& [name, value] : *object) {
        bool good = false;
        if (name == "quantity") good = read_units(value, body.quantity);
        if (name == "per_user") good = read_units(value, body.per_user.emplace());
        if (name == "opens_at") good = read_time(value, body.opens_at);
        if (name == "closes_at") good = read_time(value, body.closes_at);
        if (!good) return std::nullopt;
    }
    if (body.quantity == 0) return std::nullopt;
    if (body.opens_at && body.closes_at && *body.opens_at >= *body.closes_at) return std::nullopt;
    return body;
}

std::optional<ClaimBody> read_claim_body(std::string_view text) {
    const auto object = read_object(text);
    if (!object) return std::nullopt;
    ClaimBody body;
    for (const auto& [name, value] : *object) {
        bool good = false;
        if (name == "user_id") good = read_user(value, body.user_id);
        if (name == "quantity") good = read_units(value, body.quantity);
        if (!good) return std::nullopt;
    }
    if (body.user_id.empty()) return std::nullopt;
    return body;
}

bool is_campaign_id(std::string_view text) {
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    return !text.empty() && text.size() <= 64 && text[0] != '.' &&
           text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string quoted(std::string_view text) {
    return json::serialize(json::string(text.data(), text.size()));
}

}  // namespace penstock::verify
