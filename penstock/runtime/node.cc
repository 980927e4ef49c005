#include "penstock/runtime/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "penstock/runtime/gate_feed.h"
#include "penstock/runtime/keeper.h"
#include "penstock/runtime/lane.h"
#include "penstock/runtime/line_topics.h"
#include "penstock/runtime/pending.h"
#include "penstock/runtime/reader.h"
#include "penstock/runtime/replies.h"
#include "penstock/runtime/schema.h"

namespace penstock {
namespace {

constexpr std::uint32_t kReplyPartitions = 32;
constexpr std::chrono::minutes kReplyRetention{10};

Error stopping() {
    return error(Code::stopped, "the server is stopping; send it again to the next one");
}

class LineNode final : public Node, public LineProgress, public Decided {
public:
    LineNode(Env& env, Log& log, Gate& gate, Store& store, MakeApps make_apps, NodeOptions options,
             RuntimeObserver& observer)
        : env_(env),
          log_(log),
          gate_(gate),
          store_(store),
          make_apps_(std::move(make_apps)),
          options_(std::move(options)),
          observer_(observer),
          owner_{options_.group, make_uuid_v7(env.clock.wall(), env.random), options_.alone},
          apps_(make_apps_()),
          topics_(env, log, store, options_, owner_, observer),
          reader_(env, store, options_.max_queued_reads),
          feed_(gate, routes(), [this] { gate_lost(); }),
          requester_(env, log, gate, reader_, *this,
                     RequesterOptions{options_.max_in_line, options_.dedup_horizon, options_.alone,
                                      [this] { gate_lost(); }, [this] { gate_doubt(); }},
                     observer),
          replies_(env, log, TopicId(options_.group + "-replies")),
          max_rows_per_s_(options_.max_rows_per_s) {}

    ~LineNode() override { stop(env_.clock.mono()); }

    Result<void> start() override;
    Readiness readiness() override;
    Requester& requester() override { return requester_; }
    bool read(std::function<void(Session&)> job) override { return reader_.run(std::move(job)); }
    std::vector<PartitionProgress> progress() override;
    std::optional<Layout> layout_of(std::string_view topic) override;
    void set_max_rows_per_s(std::uint32_t per_s) override;
    std::uint32_t max_rows_per_s() override { return max_rows_per_s_; }
    void gate_lost() noexcept override;
    void gate_doubt() noexcept override;
    void stop(MonoTime by) override;

private:
    struct RunningLane {
        std::unique_ptr<Lane> lane;
        std::unique_ptr<Task> task;
    };

    std::vector<Route> routes();
    Result<void> prepare_topics();
    Result<void> open_lanes();
    Result<void> take_all();
    void limit_lanes();
    Result<void> open_keeper();
    Offset end_at_start(const TopicPartition& at) const;
    Result<void> listen_for_replies();
    void send_replies(std::span<Item> items);
    const PartitionState* state_of(const TopicPartition& at) const;

    // LineProgress
    Offset next(const TopicPartition& at) const override;
    double rate(const TopicPartition& at) const override;
    bool held(const TopicPartition& at) const override;
    // Decided
    void decided(std::span<Item> items) noexcept override;
    void stopped(const Error& why) noexcept override;

    Env& env_;
    Log& log_;
    Gate& gate_;
    Store& store_;
    const MakeApps make_apps_;
    const NodeOptions options_;
    RuntimeObserver& observer_;
    const Owner owner_;
    const std::vector<std::unique_ptr<App>> apps_;
    LineTopics topics_;
    Reader reader_;
    GateFeed feed_;
    LineRequester requester_;
    ReplyLine replies_;
    // Constant once built_ is true.
    std::vector<RunningLane> lanes_;
    std::optional<std::uint32_t> reply_partition_;
    std::unique_ptr<Heartbeat> heartbeat_;  // null: alone
    std::unique_ptr<Keeper> keeper_;
    std::atomic<bool> built_{false};
    std::atomic<std::uint32_t> max_rows_per_s_;
    std::atomic<bool> stopped_{false};
};

std::vector<Route> LineNode::routes() {
    std::vector<Route> all;
    for (const auto& app : apps_) {
        for (Route& route : app->routes()) all.push_back(std::move(route));
    }
    return all;
}

Result<void> LineNode::start() {
    PENSTOCK_TRY(prepare_tables(store_, apps_));
    PENSTOCK_TRY(prepare_topics());
    PENSTOCK_TRY(reader_.start());
    PENSTOCK_TRY(open_lanes());
    PENSTOCK_TRY(open_keeper());
    built_ = true;
    if (options_.alone) {
        PENSTOCK_TRY(take_all());
    } else {
        PENSTOCK_TRY(listen_for_replies());
    }
    limit_lanes();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        Lane& lane = *lanes_[i].lane;
        lanes_[i].task = env_.executor.spawn(fmt::format("lane-{}", i), [&lane] { lane.run(); });
    }
    keeper_->wait_for("the commands that were on the log at the start");
    if (heartbeat_) heartbeat_->start();
    keeper_->start();
    return {};
}

Result<void> LineNode::prepare_topics() {
    const std::vector<Route> all = routes();
    PENSTOCK_TRY(topics_.prepare(all));
    std::vector<Destination> destinations;
    for (const Route& route : all) {
        const Layout& layout = topics_.find(route.topic)->layout;
        destinations.push_back({route, layout.partitions, layout.generation});
    }
    requester_.set_destinations(std::move(destinations));
    return {};
}

Result<void> LineNode::open_lanes() {
    std::vector<LinePartition> all;
    for (const LineTopic& topic : topics_.all()) {
        for (const PartitionInfo& info : topic.info.partitions) {
            all.push_back({{topic.info.spec.topic, info.partition}, topic.layout.generation});
        }
    }
    LaneOptions options;
    options.owner = owner_;
    if (!options_.alone) options.session.idle_transaction = options_.lease / 3;
    options.batch_commands = options_.batch_commands;
    options.batch_time = options_.batch_time;
    options.dedup_horizon = options_.dedup_horizon;
    const std::size_t count =
        std::max<std::size_t>(1, std::min<std::size_t>(store_.writers(), all.size()));
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<LinePartition> mine;
        for (std::size_t j = i; j < all.size(); j += count) mine.push_back(all[j]);
        auto lane =
            std::make_unique<Lane>(env_, log_, store_, make_apps_(), options, *this, observer_);
        PENSTOCK_TRY(lane->open(mine));
        lanes_.push_back({std::move(lane), nullptr});
    }
    return {};
}

/// Who is alone has all from the start, or says at once why not.
Result<void> LineNode::take_all() {
    for (RunningLane& running : lanes_) {
        for (const PartitionState& state : running.lane->partitions()) {
            PENSTOCK_TRY(running.lane->take(state.at));
        }
    }
    return {};
}

Result<void> LineNode::open_keeper() {
    std::vector<Lane*> lanes;
    std::vector<TopicPartition> partitions;
    std::vector<std::pair<PartitionState*, std::uint64_t>> goals;
    for (RunningLane& running : lanes_) {
        lanes.push_back(running.lane.get());
        for (PartitionState& state : running.lane->partitions()) {
            partitions.push_back(state.at);
            goals.emplace_back(&state, end_at_start(state.at).value());
        }
    }
    std::sort(partitions.begin(), partitions.end());
    if (!options_.alone) {
        heartbeat_ = std::make_unique<Heartbeat>(
            HeartbeatParts{env_, store_, owner_, options_.lease, observer_, std::move(lanes),
                           [this] { keeper_->gate_doubt(); }});
        PENSTOCK_TRY(heartbeat_->open());
    }
    keeper_ = std::make_unique<Keeper>(KeeperParts{
        env_, log_, store_, options_, observer_, heartbeat_.get(),
        GateRebuild({env_, gate_, log_, store_, owner_, routes(), std::move(partitions)}),
        std::move(goals),
        [this](std::optional<Error> why) { requester_.refuse_all(std::move(why)); },
        [this](MonoTime now) { requester_.sweep(now); }});
    return keeper_->open();
}

Offset LineNode::end_at_start(const TopicPartition& at) const {
    const LineTopic* topic = topics_.find(at.topic.value());
    return topic == nullptr ? Offset(0) : topic->info.partitions[at.partition.value()].end;
}

/// A partition of the reply topic, leased like the others under a group of its own.
Result<void> LineNode::listen_for_replies() {
    const TopicId topic(options_.group + "-replies");
    auto info =
        describe_or_create(env_, log_, {topic, kReplyPartitions, kReplyRetention, std::nullopt});
    if (!info) return std::move(info).error();
    auto session = store_.open(Role::owner, SessionLimits{});
    if (!session) return std::move(session).error();
    Session& owner = **session;
    Ownership ownership({options_.group + "/replies", owner_.member, false});
    PENSTOCK_TRY(ownership.prepare(owner, store_.dialect()));
    for (const PartitionInfo& partition : info->partitions) {
        const TopicPartition at{topic, partition.partition};
        PENSTOCK_TRY(owner.begin());
        if (auto made = ownership.make(owner, at, partition.uuid); !made) {
            owner.rollback();
            return made;
        }
        PENSTOCK_TRY(owner.commit());
        bool fresh = false;
        const auto taken = ownership.take(owner, at, &fresh);
        if (!taken && taken.error().code == Code::in_use) continue;
        if (!taken) return taken.error();
        reply_partition_ = at.partition.value();
        break;
    }
    if (!reply_partition_) {
        return error(Code::in_use, fmt::format("all {} partitions of {} are leased; as many "
                                               "processes run already",
                                               kReplyPartitions, topic.value()));
    }
    requester_.set_reply_partition(*reply_partition_);
    return replies_.listen(PartitionId(*reply_partition_),
                           [this](std::span<Told> outcomes) { requester_.told(outcomes); });
}

Readiness LineNode::readiness() {
    if (stopped_) return {false, "the server is stopping"};
    if (!built_) return {false, "the tables"};
    return keeper_->readiness();
}

std::vector<PartitionProgress> LineNode::progress() {
    if (!built_) return {};
    std::map<TopicPartition, Offset> ends;
    for (const LineTopic& topic : topics_.all()) {
        const auto described = log_.describe(topic.info.spec.topic);
        if (!described) continue;
        for (const PartitionInfo& info : described->front().partitions) {
            ends[{topic.info.spec.topic, info.partition}] = info.end;
        }
    }
    std::vector<PartitionProgress> all;
    for (const RunningLane& running : lanes_) {
        for (const PartitionState& state : running.lane->partitions()) {
            const auto end = ends.find(state.at);
            const Offset next(state.next);
            all.push_back({state.at, state.held, Epoch(state.epoch), next,
                           end == ends.end() ? next : std::max(next, end->second),
                           running.lane->pace().rate()});
        }
    }
    return all;
}

std::optional<Layout> LineNode::layout_of(std::string_view topic) {
    if (!options_.alone && topic == options_.group + "-replies") {
        return Layout{{}, LayoutId(0), kReplyPartitions};
    }
    if (!built_) return std::nullopt;
    const LineTopic* own = topics_.find(topic);
    return own == nullptr ? std::nullopt : std::optional(own->layout);
}

void LineNode::set_max_rows_per_s(std::uint32_t per_s) {
    max_rows_per_s_ = per_s;
    if (built_) limit_lanes();
}

void LineNode::limit_lanes() {
    const std::uint32_t per_s = max_rows_per_s_;
    // Lanes share the store: each gets its part, at least one.
    const auto count = static_cast<std::uint32_t>(std::max<std::size_t>(1, lanes_.size()));
    for (RunningLane& running : lanes_) {
        running.lane->pace().set_limit(per_s == 0 ? 0 : std::max(1u, per_s / count));
    }
}

void LineNode::stop(MonoTime by) {
    if (stopped_.exchange(true)) return;
    if (heartbeat_) heartbeat_->hold_still();  // the lease goes on as long as something is in line
    if (keeper_) keeper_->stop();
    requester_.refuse_all(stopping());
    const std::unique_ptr<Wake> wake = env_.executor.make_wake();
    const bool empty = requester_.wait_until_empty(*wake, by);
    for (RunningLane& running : lanes_) running.lane->stop();
    for (RunningLane& running : lanes_) running.task.reset();
    if (heartbeat_) heartbeat_->stop();
    // Who goes with something in doubt is found dead by the others, and they see to it.
    if (heartbeat_ && empty && !keeper_->in_doubt()) heartbeat_->leave();
    replies_.stop();
    reader_.stop();
    requester_.abandon_all();
}

const PartitionState* LineNode::state_of(const TopicPartition& at) const {
    for (const RunningLane& running : lanes_) {
        for (const PartitionState& state : running.lane->partitions()) {
            if (state.at == at) return &state;
        }
    }
    return nullptr;
}

Offset LineNode::next(const TopicPartition& at) const {
    const PartitionState* state = state_of(at);
    return Offset(state == nullptr ? 0 : state->next.load());
}

bool LineNode::held(const TopicPartition& at) const {
    const PartitionState* state = state_of(at);
    return state != nullptr && state->held;
}

double LineNode::rate(const TopicPartition& at) const {
    for (const RunningLane& running : lanes_) {
        for (const PartitionState& state : running.lane->partitions()) {
            if (state.at == at) return running.lane->pace().rate();
        }
    }
    return 0;
}

/// On a lane, after its commit: the gate first, so that a caller who got his answer finds it told.
void LineNode::decided(std::span<Item> items) noexcept {
    feed_.decided(items);
    if (!options_.alone) send_replies(items);
    requester_.decided(items);
    if (!keeper_->ready()) keeper_->wake();
}

/// To other processes; before ours, which may take the outcomes.
void LineNode::send_replies(std::span<Item> items) {
    for (const Item& item : items) {
        if (!item.decodable || !item.command.reply_to) continue;
        if (item.command.reply_to == reply_partition_) continue;
        if (*item.command.reply_to >= kReplyPartitions) continue;
        replies_.send(PartitionId(*item.command.reply_to),
                      Told{item.command.id, item.body, item.step, item.outcome});
    }
}

void LineNode::gate_lost() noexcept {
    if (built_) keeper_->gate_lost();
}

void LineNode::gate_doubt() noexcept {
    if (built_) keeper_->gate_doubt();
}

/// A lane that cannot go on takes nothing more in: its callers would wait for ever.
void LineNode::stopped(const Error& why) noexcept {
    if (heartbeat_) heartbeat_->hold_still();
    keeper_->failed(why.text);
    requester_.refuse_all(error(Code::not_ready, why.text));
    observer_.say(RuntimeObserver::Level::error, why.text);
    observer_.fatal(why);
}

}  // namespace

std::unique_ptr<Node> make_node(Env& env, Log& log, Gate& gate, Store& store, MakeApps make_apps,
                                NodeOptions options, RuntimeObserver& observer) {
    return std::make_unique<LineNode>(env, log, gate, store, std::move(make_apps),
                                      std::move(options), observer);
}

}  // namespace penstock
