#include "penstock/edge/load/load_claims.h"

#include <algorithm>
#include <cstring>

#include "penstock/base/url.h"
#include "penstock/base/uuid.h"

namespace penstock::load {
namespace {

constexpr std::size_t kRemembered = 4096;
const std::string kIdPlace(36, '!');
const std::string kUserPlace(kUserDigits, '?');

}  // namespace

void write_user(std::uint64_t user, char* into) {
    for (std::size_t i = kUserDigits; i > 0; --i) {
        into[i - 1] = static_cast<char>('0' + user % 10);
        user /= 10;
    }
}

std::uint64_t ClaimSource::Spread::next() {
    std::uint64_t z = (state_ += 0x9e37'79b9'7f4a'7c15);
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

ClaimSource::ClaimSource(const LoadOptions& options, Env& env)
    : options_(options), env_(env), random_(env.random.next()) {
    answered_.reserve(kRemembered);
}

bool ClaimSource::next(Claim& claim) {
    if (options_.requests > 0 && begun_ >= options_.requests) return false;
    ++begun_;
    const double chance = static_cast<double>(random_.next() >> 11) * 0x1p-53;
    if (!answered_.empty() && chance < options_.repeat_fraction) {
        claim = answered_[random_.next() % answered_.size()];
        claim.repeat = true;
        return true;
    }
    const std::string id = format_uuid(make_uuid_v7(env_.clock.wall(), random_));
    std::copy(id.begin(), id.end(), claim.id.begin());
    claim.user = options_.users_offset + users_++;
    claim.repeat = false;
    claim.expected.clear();
    return true;
}

void ClaimSource::remember(const Claim& claim, std::string_view members) {
    if (options_.repeat_fraction <= 0) return;
    if (oldest_ == answered_.size()) answered_.emplace_back();
    Claim& place = answered_[oldest_];
    oldest_ = (oldest_ + 1) % kRemembered;
    place.id = claim.id;
    place.user = claim.user;
    place.expected = members;
}

RequestWriter::RequestWriter(const LoadOptions& options) : batch_(options.batch > 1) {
    std::string body = "{";
    if (batch_) body += "\"id\":\"" + kIdPlace + "\",";
    body += "\"user_id\":\"" + options.user_prefix + kUserPlace + '"';
    if (options.quantity > 1) body += ",\"quantity\":" + std::to_string(options.quantity);
    body += '}';
    form_ = "POST /v1/campaigns/" + percent_encode(options.campaign) + "/claims" +
            (batch_ ? ":batch" : "") + " HTTP/1.1\r\nHost: " + options.server.authority() +
            "\r\nContent-Type: application/" + (batch_ ? "x-ndjson" : "json") + "\r\n";
    if (!batch_) form_ += "Idempotency-Key: " + kIdPlace + "\r\n";
    form_ += "Content-Length: ";
    if (batch_) {
        line_ = body + '\n';
    } else {
        form_ += std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    const std::string& one = batch_ ? line_ : form_;
    id_at_ = one.find(kIdPlace);
    user_at_ = one.find(kUserPlace);
}

void RequestWriter::write(std::span<const Claim> claims, std::string& request) const {
    request = form_;
    if (batch_) request += std::to_string(line_.size() * claims.size()) + "\r\n\r\n";
    for (const Claim& claim : claims) {
        if (batch_) request += line_;
        char* one = request.data() + request.size() - (batch_ ? line_ : form_).size();
        std::memcpy(one + id_at_, claim.id.data(), claim.id.size());
        write_user(claim.user, one + user_at_);
    }
}

}  // namespace penstock::load
