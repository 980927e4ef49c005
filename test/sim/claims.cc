#include "test/sim/claims.h"

#include <fmt/format.h>

#include <charconv>

namespace penstock::test {

Made::Made(std::string_view type, std::string campaign, std::string id, std::string data,
           LogTime now)
    : id_(std::move(id)), type_(type), key_(std::move(campaign)), data_(std::move(data)) {
    Command& command = submission_.command;
    command.id_text = id_;
    command.id = uuid_of_id(id_);
    command.type = type_;
    command.key = key_;
    command.data = as_bytes(data_);
    command.requested_at = now;
}

Made::Made(const ClaimForm& claim, LogTime now)
    : Made(sale::kClaim, claim.campaign, claim.id,
           sale::canonical(sale::Claim{claim.user, claim.quantity}), now) {
    submission_.command.deadline = claim.deadline;
    submission_.fresh_id = claim.fresh_id;
}

Made::Made(const std::string& campaign, const sale::Campaign& body, LogTime now)
    : Made(sale::kCreate, campaign, "create-" + campaign, sale::canonical(body), now) {}

std::string word_of(const Answered& answer) {
    if (const auto* settled = std::get_if<Settlement>(&answer)) {
        if (const auto* refused = std::get_if<Refused>(&settled->outcome)) return refused->reason;
        return member_of(answer, "position") != 0 ? "granted" : "done";
    }
    if (const auto* refused = std::get_if<NotAdmitted>(&answer)) return to_string(refused->why);
    if (std::holds_alternative<IdReused>(answer)) return "id_reused";
    if (std::holds_alternative<IdTooOld>(answer)) return "id_too_old";
    const Error& failure = std::get<Error>(answer);
    return fmt::format("error {} {}", to_string(failure.code),
                       failure.effect == Effect::none ? "none" : "unknown");
}

std::string settled_bytes(const Answered& answer) {
    const auto* settled = std::get_if<Settlement>(&answer);
    if (settled == nullptr) return "";
    if (const auto* done = std::get_if<Done>(&settled->outcome)) return "done " + done->reply;
    const auto& refused = std::get<Refused>(settled->outcome);
    return fmt::format("refused {} {}", refused.reason, refused.text);
}

std::uint64_t member_of(const Answered& answer, std::string_view name) {
    const auto* settled = std::get_if<Settlement>(&answer);
    const auto* done = settled == nullptr ? nullptr : std::get_if<Done>(&settled->outcome);
    if (done == nullptr) return 0;
    const std::string member = fmt::format("\"{}\":", name);
    const auto at = done->reply.find(member);
    std::uint64_t value = 0;
    if (at == std::string::npos) return 0;
    const char* const text = done->reply.data();
    std::from_chars(text + at + member.size(), text + done->reply.size(), value);
    return value;
}

bool is_unknown(const Answered& answer) {
    const auto* failure = std::get_if<Error>(&answer);
    return failure != nullptr && failure->effect == Effect::unknown;
}

}  // namespace penstock::test
