#include "penstock/runtime/replies.h"

#include <array>
#include <utility>

namespace penstock {
namespace {

constexpr std::string_view kId = "id", kBody = "body", kStep = "step", kReason = "reason";
constexpr std::pair<Step, std::string_view> kSteps[] = {
    {Step::run, "run"},         {Step::duplicate, "duplicate"}, {Step::id_reused, "id_reused"},
    {Step::too_old, "too_old"}, {Step::expired, "expired"},     {Step::stale, "stale"}};
constexpr std::chrono::milliseconds kPause{100};

std::string_view name_of(Step step) {
    for (const auto& [one, name] : kSteps) {
        if (one == step) return name;
    }
    return "";
}

std::optional<Step> step_of(std::string_view name) {
    for (const auto& [step, one] : kSteps) {
        if (one == name) return step;
    }
    return std::nullopt;
}

}  // namespace

ReplyRecord::ReplyRecord(const Told& told)
    : told_(told), id_(format_uuid(told.id)), body_(format_uuid(told.body)) {
    headers_[count_++] = {kId, as_bytes(id_)};
    headers_[count_++] = {kBody, as_bytes(body_)};
    headers_[count_++] = {kStep, as_bytes(name_of(told.step))};
    if (const auto* refused = std::get_if<Refused>(&told_.outcome)) {
        headers_[count_++] = {kReason, as_bytes(refused->reason)};
    }
}

Record ReplyRecord::record() const {
    const auto* done = std::get_if<Done>(&told_.outcome);
    const auto* refused = std::get_if<Refused>(&told_.outcome);
    const std::string_view text = done      ? std::string_view(done->reply)
                                  : refused ? std::string_view(refused->text)
                                            : std::string_view();
    return Record{as_bytes(id_), as_bytes(text), std::span(headers_, count_), LayoutId(0)};
}

std::optional<Told> decode_reply(const Logged& record) {
    std::optional<Uuid> id, body;
    std::optional<Step> step;
    std::optional<std::string_view> reason;
    for (const Header& header : record.headers) {
        const std::string_view value = as_text(header.value);
        if (header.name == kId) id = parse_uuid(value);
        if (header.name == kBody) body = parse_uuid(value);
        if (header.name == kStep) step = step_of(value);
        if (header.name == kReason) reason = value;
    }
    if (!id || !body || !step || !record.value) return std::nullopt;
    Told told{*id, *body, *step, {}};
    const std::string text(as_text(*record.value));
    if (reason) {
        told.outcome = Refused{std::string(*reason), text};
    } else {
        told.outcome = Done{text, {}};
    }
    return told;
}

ReplyLine::ReplyLine(Env& env, Log& log, TopicId topic)
    : env_(env), log_(log), topic_(std::move(topic)) {}

void ReplyLine::send(PartitionId to, const Told& told) {
    const ReplyRecord reply(told);
    const Record record = reply.record();
    log_.append({topic_, to}, {&record, 1}, 0, *this);
}

Result<void> ReplyLine::listen(PartitionId mine, Receive receive) {
    receive_ = std::move(receive);
    const auto described = log_.describe(topic_);
    if (!described) return described.error();
    const TopicPartition at{topic_, mine};
    auto subscription = log_.subscribe(GroupSpec{topic_.value(), {at}});
    if (!subscription) return std::move(subscription).error();
    subscription_ = std::move(*subscription);
    Offset end;
    for (const PartitionInfo& info : described->front().partitions) {
        if (info.partition == mine) end = info.end;
    }
    const auto polled = subscription_->poll(ReadLimits{}, env_.clock.mono());
    if (!polled) return polled.error();
    PENSTOCK_TRY(subscription_->start(at, end));
    task_ = env_.executor.spawn("replies", [this] { body(); });
    return {};
}

void ReplyLine::body() {
    const std::unique_ptr<Wake> pause = env_.executor.make_wake();
    std::vector<Told> outcomes;
    while (!stopping_) {
        const auto polled = subscription_->poll(ReadLimits{}, kNever);
        if (!polled) {
            // Replies of now may be missed: what stays silent is asked of the store.
            pause->wait_until(env_.clock.mono() + kPause);
            continue;
        }
        outcomes.clear();
        for (const Slice& slice : polled->slices) {
            for (const Logged& record : slice.records) {
                if (auto told = decode_reply(record)) outcomes.push_back(std::move(*told));
            }
        }
        if (!outcomes.empty()) receive_(outcomes);
    }
}

void ReplyLine::stop() {
    stopping_ = true;
    if (subscription_) subscription_->wake();
    task_.reset();
}

}  // namespace penstock
