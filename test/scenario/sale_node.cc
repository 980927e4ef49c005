#include "test/scenario/sale_node.h"

#include <gtest/gtest.h>

#include <charconv>

#include "penstock/base/guarded.h"
#include "penstock/log/file/file_log.h"
#include "penstock/log/memory/memory_log.h"

namespace penstock::test {
namespace {

constexpr std::chrono::seconds kPatience{60};

/// A claim in the form in which it is submitted; keeps what the submission borrows.
struct Made {
    explicit Made(Asking claim) : asking(std::move(claim)) {
        Env& env = system_env();
        const LogTime now = env.clock.wall();
        Command& command = submission.command;
        submission.fresh_id = asking.id.empty();
        if (asking.id.empty()) {
            command.id = make_uuid_v7(now, env.random);
            asking.id = format_uuid(command.id);
        } else {
            command.id = uuid_of_id(asking.id);
        }
        data = sale::canonical(sale::Claim{asking.user, asking.quantity});
        command.id_text = asking.id;
        command.type = sale::kClaim;
        command.key = asking.campaign;
        command.data = as_bytes(data);
        command.requested_at = now;
        command.deadline = asking.deadline;
    }
    Asking asking;
    std::string data;
    Submission submission;
    MonoTime sent_at{};
};

/// Collects replies and wakes whoever waits for them.
class Collector final : public ReplySink {
public:
    Collector() : wake_(system_env().executor.make_wake()) {}
    void replied(std::span<Reply> replies) noexcept override {
        // Notified under the lock: whoever sees the last reply may end this sink.
        replies_.with([&](std::vector<Reply>& all) {
            for (Reply& reply : replies) all.push_back(std::move(reply));
            wake_->notify();
        });
    }
    /// Valid until the next call; empty: nothing came in time.
    std::span<Reply> wait() {
        const MonoTime until = system_env().clock.mono() + kPatience;
        do {
            taken_.clear();
            replies_.with([this](std::vector<Reply>& all) { all.swap(taken_); });
        } while (taken_.empty() && wake_->wait_until(until));
        return taken_;
    }

private:
    std::unique_ptr<Wake> wake_;
    Guarded<std::vector<Reply>> replies_;
    std::vector<Reply> taken_;
};

}  // namespace

std::string Asked::word() const {
    if (const auto* settled = std::get_if<Settlement>(&answer)) {
        return done() != nullptr ? "granted" : std::get<Refused>(settled->outcome).reason;
    }
    if (const auto* refused = std::get_if<NotAdmitted>(&answer)) return to_string(refused->why);
    if (std::holds_alternative<IdReused>(answer)) return "id_reused";
    if (std::holds_alternative<IdTooOld>(answer)) return "id_too_old";
    return "error";
}

const Done* Asked::done() const {
    const auto* settled = std::get_if<Settlement>(&answer);
    return settled == nullptr ? nullptr : std::get_if<Done>(&settled->outcome);
}

std::string Asked::reply() const {
    return done() == nullptr ? "" : done()->reply;
}

std::uint64_t Asked::position() const {
    const std::string json = reply();
    constexpr std::string_view kMember = "\"position\":";
    const auto at = json.find(kMember);
    std::uint64_t position = 0;
    if (at == std::string::npos) return 0;
    std::from_chars(json.data() + at + kMember.size(), json.data() + json.size(), position);
    return position;
}

SaleNode::SaleNode(SaleNodeOptions options) : options_(std::move(options)) {
    start();
}

SaleNode::~SaleNode() {
    stop();
}

void SaleNode::start() {
    Env& env = system_env();
    auto store = SqliteStore::open({.path = directory_.path() + "/penstock.db"}, env);
    ASSERT_TRUE(store) << store.error().text;
    store_ = std::move(*store);
    if (options_.file_log) {
        FileLogOptions log_options;
        log_options.directory = directory_.path() + "/log";
        auto log = FileLog::open(env, log_options);
        ASSERT_TRUE(log) << log.error().text;
        log_ = std::move(*log);
    } else {
        log_ = std::make_unique<MemoryLog>(env);
    }
    gate_ = std::make_unique<LocalGate>(env);
    node_ = make_node(
        env, *log_, *gate_, *store_,
        [] {
            std::vector<std::unique_ptr<App>> apps;
            apps.push_back(sale::make_sale());
            return apps;
        },
        options_.node, observer_);
    const auto started = node_->start();
    ASSERT_TRUE(started) << started.error().text;
    const MonoTime until = env.clock.mono() + kPatience;
    while (!node_->readiness().ready && env.clock.mono() < until) std::this_thread::yield();
    ASSERT_TRUE(node_->readiness().ready) << node_->readiness().waits_for;
}

void SaleNode::stop() {
    const MonoTime by = system_env().clock.mono() + kPatience;
    if (node_) node_->stop(by);
    if (log_) log_->stop(by);
    node_.reset();
    gate_.reset();
    log_.reset();
    store_.reset();
}

void SaleNode::restart() {
    stop();
    start();
}

void SaleNode::create_campaign(const std::string& id, const sale::Campaign& campaign) {
    const std::string data = sale::canonical(campaign);
    const std::string id_text = "create-" + id;
    Submission submission;
    submission.command.id_text = id_text;
    submission.command.id = uuid_of_id(id_text);
    submission.command.type = sale::kCreate;
    submission.command.key = id;
    submission.command.data = as_bytes(data);
    submission.command.requested_at = system_env().clock.wall();
    Collector collector;
    node_->requester().submit({&submission, 1}, 0, collector);
    const auto replies = collector.wait();
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ((Asked{{}, replies[0].answer}).word(), "granted");
}

Asked SaleNode::ask(Asking claim) {
    Made made(std::move(claim));
    Collector collector;
    node_->requester().submit({&made.submission, 1}, 0, collector);
    const auto replies = collector.wait();
    if (replies.size() != 1) return {made.asking, error(Code::io, "no answer came in time")};
    return {made.asking, std::move(replies[0].answer)};
}

Asked SaleNode::ask_until_final(Asking claim) {
    for (;;) {
        Asked asked = ask(claim);
        const std::string word = asked.word();
        if (word != "none_free" && word != "not_enough") return asked;
        std::this_thread::yield();
    }
}

std::vector<Asked> SaleNode::ask_many(const AskingMany& many) {
    std::vector<Asked> answers;
    answers.reserve(many.claims);
    ask_many(many, [&](Asked asked) { answers.push_back(std::move(asked)); });
    return answers;
}

void SaleNode::ask_many(const AskingMany& many, const std::function<void(Asked)>& take) {
    std::vector<std::optional<Made>> in_flight(std::min(many.callers, many.claims));
    std::vector<Asking> before;  // if there are repeats
    Collector collector;
    std::size_t next = 0;
    std::size_t answered = 0;
    const auto send_one = [&](std::size_t caller) {
        const bool repeat = many.repeat_every != 0 && next % many.repeat_every == 1 && next > 1;
        Asking asking{many.campaign, "user-" + std::to_string(next), 1, "", std::nullopt};
        if (repeat) asking = before[next / 2];
        Made& made = in_flight[caller].emplace(std::move(asking));
        if (many.repeat_every != 0) before.push_back(made.asking);
        if (many.timed) made.sent_at = system_env().clock.mono();
        ++next;
        node_->requester().submit({&made.submission, 1}, caller, collector);
    };
    for (std::size_t caller = 0; caller < in_flight.size(); ++caller) send_one(caller);
    while (answered < many.claims) {
        const auto replies = collector.wait();
        if (replies.empty()) {
            ADD_FAILURE() << "only " << answered << " answers came in time";
            break;
        }
        const MonoTime now = system_env().clock.mono();
        for (Reply& reply : replies) {
            Made& made = *in_flight[reply.tag];
            take({std::move(made.asking), std::move(reply.answer), now - made.sent_at});
            ++answered;
            if (next < many.claims) send_one(reply.tag);
        }
    }
}

void SaleNode::expect_exact(const std::string& campaign, std::uint64_t units) {
    auto session = store_->open(Role::reader, SessionLimits{});
    ASSERT_TRUE(session) << session.error().text;
    ASSERT_TRUE((*session)->begin());
    const auto rows = sale::read_campaigns(**session, campaign);
    ASSERT_TRUE(rows) << rows.error().text;
    ASSERT_EQ(rows->size(), 1u);
    EXPECT_EQ(rows->front().granted, units);
    const auto grants = sale::read_grants(**session, campaign, "", 0, units + 10);
    ASSERT_TRUE(grants) << grants.error().text;
    std::uint64_t position = 1;
    for (const sale::GrantRow& grant : *grants) {
        EXPECT_EQ(grant.position, position);
        position += grant.quantity;
    }
    EXPECT_EQ(position, units + 1);
    (*session)->rollback();
    const auto counts = gate_->counts(ResourceId(campaign));
    ASSERT_TRUE(counts) << counts.error().text;
    EXPECT_EQ(counts->granted, units);
    EXPECT_EQ(counts->reserved, 0u);
}

}  // namespace penstock::test
