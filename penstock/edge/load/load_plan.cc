#include "penstock/edge/load/load_plan.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include "penstock/base/uuid.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kRemembered = 10'000;

/// The value of a text member of a flat JSON object that the server wrote.
std::string_view text_member(std::string_view json, std::string_view member) {
    const auto at = json.find(member);
    if (at == std::string_view::npos) return {};
    const auto begin = at + member.size();
    return json.substr(begin, json.find('"', begin) - begin);
}

std::string json_text(std::string_view text) {
    return boost::json::serialize(boost::json::value(boost::json::string_view(text)));
}

}  // namespace

LoadPlan::LoadPlan(Env& env, const LoadOptions& options, MonoTime began)
    : env_(env), options_(options), began_(began) {}

Result<void> LoadPlan::open_history() {
    if (options_.history.empty()) return {};
    history_.open(options_.history, std::ios::trunc);
    if (history_) return {};
    return error(Code::io, fmt::format("cannot write the history {}", options_.history));
}

bool LoadPlan::finished() const {
    if (options_.requests != 0 && sent_ >= options_.requests) return true;
    return options_.duration && env_.clock.mono() - began_ >= *options_.duration;
}

MonoTime LoadPlan::due() const {
    if (options_.rate <= 0) return began_;
    const double seconds = static_cast<double>(sent_) / options_.rate;
    return began_ + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

PlannedClaim LoadPlan::next() {
    const MonoTime intended = options_.rate > 0 ? due() : env_.clock.mono();
    ++sent_;
    const double chance = static_cast<double>(env_.random.next() >> 11) * 0x1.0p-53;
    if (chance < options_.repeat_fraction && !answered_.empty()) {
        PlannedClaim again = answered_[env_.random.next() % answered_.size()];
        again.intended = intended;
        again.repeat = true;
        return again;
    }
    return {format_uuid(make_uuid_v7(env_.clock.wall(), env_.random)),
            fmt::format("{}-{}", options_.user_prefix, sent_), intended, false, ""};
}

bool LoadPlan::should_retry(int status) const {
    return options_.retry && (status == 202 || status >= 500);
}

void LoadPlan::answered(const PlannedClaim& claim, int status, std::string_view body) {
    const auto took = env_.clock.mono() - claim.intended;
    ++report_.answered;
    report_.latency.add(took);
    if (status == 201) {
        ++report_.granted;
        report_.granted_latency.add(took);
    } else if (status == 200) {
        ++report_.repeated;
    } else if (status == 202 || status == 504) {
        ++report_.waiting;
    } else if (status >= 500) {
        ++report_.unavailable;
    } else {
        ++report_.refused;
    }
    if (status >= 400) ++report_.codes[std::string(text_member(body, "\"code\":\""))];
    if (claim.repeat && !claim.expected.empty() && status < 400 && body != claim.expected) {
        ++report_.mismatches;
    }
    remember(claim, status, body);
    write_history(claim, status, body);
}

void LoadPlan::broken(const PlannedClaim& claim) {
    ++report_.broken;
    write_history(claim, 0, "");
}

void LoadPlan::remember(const PlannedClaim& claim, int status, std::string_view body) {
    if (options_.repeat_fraction <= 0 || claim.repeat || status == 202 || status >= 500) return;
    PlannedClaim kept = claim;
    if (status == 200 || status == 201) kept.expected = body;
    if (answered_.size() < kRemembered) {
        answered_.push_back(std::move(kept));
    } else {
        answered_[env_.random.next() % kRemembered] = std::move(kept);
    }
}

void LoadPlan::write_history(const PlannedClaim& claim, int status, std::string_view body) {
    if (!history_.is_open()) return;
    history_ << fmt::format(
        R"({{"id":"{}","type":"sale.claim","key":"{}","user_id":"{}","quantity":{},"status":{},)"
        R"("body":{}}})"
        "\n",
        claim.id, options_.campaign, claim.user, options_.quantity, status, json_text(body));
}

}  // namespace penstock::cli
