#include "penstock/runtime/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "penstock/runtime/gate_feed.h"
#include "penstock/runtime/lane.h"
#include "penstock/runtime/pending.h"
#include "penstock/runtime/reader.h"
#include "penstock/runtime/schema.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kKeeperEvery{250};
constexpr std::chrono::seconds kRetentionEvery{10};

Error low_on_space(std::uint64_t free_bytes) {
    return error(Code::no_space,
                 fmt::format("the disk is nearly full ({} MiB left): free some space; what was "
                             "accepted is safe",
                             free_bytes >> 20));
}

Error stopping() {
    return error(Code::stopped, "the server is stopping; send it again to the next one");
}

class LineNode final : public Node, public LineProgress, public Decided {
public:
    LineNode(Env& env, Log& log, Gate& gate, Store& store, MakeApps make_apps, NodeOptions options,
             RuntimeObserver& observer)
        : env_(env),
          log_(log),
          store_(store),
          make_apps_(std::move(make_apps)),
          options_(std::move(options)),
          observer_(observer),
          apps_(make_apps_()),
          reader_(env, store, options_.max_queued_reads),
          feed_(gate, routes()),
          requester_(env, log, gate, reader_, *this,
                     RequesterOptions{options_.max_in_line, options_.dedup_horizon}, observer),
          keeper_wake_(env.executor.make_wake()) {}

    ~LineNode() override { stop(env_.clock.mono()); }

    Result<void> start() override;
    Readiness readiness() override;
    Requester& requester() override { return requester_; }
    bool read(std::function<void(Session&)> job) override { return reader_.run(std::move(job)); }
    std::vector<PartitionProgress> progress() override;
    void set_max_rows_per_s(std::uint32_t per_s) override;
    std::uint32_t max_rows_per_s() override { return max_rows_per_s_; }
    void stop(MonoTime by) override;

private:
    struct RunningLane {
        std::unique_ptr<Lane> lane;
        std::unique_ptr<Task> task;
    };
    struct Goal {
        const PartitionState* state;
        std::uint64_t end;  ///< durable at the start
    };

    std::vector<Route> routes();
    Result<void> prepare_tables();
    Result<void> prepare_topics();
    Result<void> open_lanes();
    void keep_house();
    bool caught_up() const;
    void become_ready();
    void watch_space();
    void apply_retention();
    void wait_for(const std::string& what);
    const PartitionState* state_of(const TopicPartition& at) const;

    // LineProgress
    Offset next(const TopicPartition& at) const override;
    double rate(const TopicPartition& at) const override;
    // Decided
    void decided(std::span<Item> items) noexcept override;
    void stopped(const Error& why) noexcept override;

    Env& env_;
    Log& log_;
    Store& store_;
    const MakeApps make_apps_;
    const NodeOptions options_;
    RuntimeObserver& observer_;
    const std::vector<std::unique_ptr<App>> apps_;
    Reader reader_;
    GateFeed feed_;
    LineRequester requester_;
    std::vector<TopicInfo> topics_;   // constant after start()
    std::vector<RunningLane> lanes_;  // constant after start()
    std::vector<Goal> goals_;         // constant after start()
    GateGeneration generation_{};     // constant after start()
    std::atomic<std::uint32_t> max_rows_per_s_{0};
    std::atomic<bool> ready_{false}, stopping_{false}, stopped_{false}, failed_{false};
    bool low_on_space_ = false;  // the keeper's
    MonoTime next_retention_{};  // the keeper's
    Guarded<std::string> waits_for_;
    std::unique_ptr<Wake> keeper_wake_;
    std::unique_ptr<Task> keeper_;
};

std::vector<Route> LineNode::routes() {
    std::vector<Route> all;
    for (const auto& app : apps_) {
        for (Route& route : app->routes()) all.push_back(std::move(route));
    }
    return all;
}

Result<void> LineNode::start() {
    wait_for("the tables");
    PENSTOCK_TRY(prepare_tables());
    PENSTOCK_TRY(prepare_topics());
    PENSTOCK_TRY(reader_.start());
    PENSTOCK_TRY(open_lanes());
    set_max_rows_per_s(options_.max_rows_per_s);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        Lane& lane = *lanes_[i].lane;
        lanes_[i].task = env_.executor.spawn(fmt::format("lane-{}", i), [&lane] { lane.run(); });
    }
    wait_for("the commands that were on the log at the start");
    keeper_ = env_.executor.spawn("keeper", [this] { keep_house(); });
    return {};
}

Result<void> LineNode::prepare_tables() {
    std::vector<Migration> migrations = runtime_migrations(store_.dialect());
    for (const auto& app : apps_) {
        for (Migration& migration : app->migrations(store_.dialect())) {
            migrations.push_back(std::move(migration));
        }
    }
    return store_.prepare_schema(migrations);
}

/// Each topic of a route exists, with one partition unless the options say otherwise.
Result<void> LineNode::prepare_topics() {
    std::vector<Destination> destinations;
    for (const Route& route : routes()) {
        const TopicId topic(route.topic);
        auto described = log_.describe(topic);
        if (!described && described.error().code == Code::not_found) {
            TopicSpec spec{topic, 1, std::nullopt, std::nullopt};
            for (const TopicSpec& given : options_.topics) {
                if (given.topic == topic) spec = given;
            }
            PENSTOCK_TRY(log_.create(spec));
            described = log_.describe(topic);
        }
        if (!described) return std::move(described).error();
        const TopicInfo& info = described->front();
        destinations.push_back({route, info.spec.partitions, LayoutId(0)});
        const bool known = std::any_of(topics_.begin(), topics_.end(),
                                       [&](const TopicInfo& t) { return t.spec.topic == topic; });
        if (!known) topics_.push_back(info);
    }
    requester_.set_destinations(std::move(destinations));
    return {};
}

Result<void> LineNode::open_lanes() {
    std::vector<std::pair<TopicPartition, PartitionInfo>> all;
    for (const TopicInfo& topic : topics_) {
        for (const PartitionInfo& info : topic.partitions) {
            all.emplace_back(TopicPartition{topic.spec.topic, info.partition}, info);
        }
    }
    const std::size_t count =
        std::max<std::size_t>(1, std::min<std::size_t>(store_.writers(), all.size()));
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<std::pair<TopicPartition, PartitionInfo>> mine;
        for (std::size_t j = i; j < all.size(); j += count) mine.push_back(all[j]);
        auto lane = std::make_unique<Lane>(env_, log_, store_, make_apps_(),
                                           LaneOptions{options_.group, options_.batch_commands,
                                                       options_.batch_time, options_.dedup_horizon},
                                           *this, observer_);
        PENSTOCK_TRY(lane->open(mine));
        for (const PartitionState& state : lane->partitions()) {
            const auto info = std::find_if(mine.begin(), mine.end(), [&](const auto& entry) {
                return entry.first == state.owned.at;
            });
            goals_.push_back({&state, info->second.end.value()});
            generation_ = std::max(generation_, GateGeneration(state.owned.epoch.value()));
        }
        lanes_.push_back({std::move(lane), nullptr});
    }
    return {};
}

/// What is done beside the line: become ready, watch the disk, let old segments go.
void LineNode::keep_house() {
    while (!stopping_) {
        if (!ready_ && caught_up()) become_ready();
        watch_space();
        apply_retention();
        keeper_wake_->wait_until(ready_ ? env_.clock.mono() + kKeeperEvery : kNever);
    }
}

bool LineNode::caught_up() const {
    return std::all_of(goals_.begin(), goals_.end(),
                       [](const Goal& goal) { return goal.state->next >= goal.end; });
}

void LineNode::become_ready() {
    wait_for("the gate");
    auto session = store_.open(Role::reader, SessionLimits{});
    if (!session) {
        observer_.fatal(session.error());
        return;
    }
    if (const auto rebuilt = feed_.rebuild(**session, generation_); !rebuilt) {
        observer_.fatal(rebuilt.error());
        return;
    }
    if (stopping_ || failed_) return;
    requester_.refuse_all(std::nullopt);
    ready_ = true;
    wait_for("");
    observer_.say(RuntimeObserver::Level::info, "ready");
}

void LineNode::watch_space() {
    if (options_.data_directory.empty() || !ready_ || stopping_ || failed_) return;
    const auto free_bytes = env_.files.free_bytes(options_.data_directory);
    if (!free_bytes) return;
    observer_.disk_free(*free_bytes);
    const bool low = *free_bytes < options_.low_water_bytes;
    if (low == low_on_space_) return;
    low_on_space_ = low;
    if (low) {
        requester_.refuse_all(low_on_space(*free_bytes));
    } else {
        requester_.refuse_all(std::nullopt);
    }
    observer_.say(RuntimeObserver::Level::warning,
                  low ? "the disk is nearly full: nothing is admitted until space is back"
                      : "there is space on the disk again");
}

void LineNode::apply_retention() {
    const MonoTime now = env_.clock.mono();
    if (now < next_retention_) return;
    next_retention_ = now + kRetentionEvery;
    for (const Goal& goal : goals_) {
        const auto trimmed = log_.trim(goal.state->at, Offset(goal.state->next), env_.clock.wall());
        if (!trimmed) observer_.say(RuntimeObserver::Level::warning, trimmed.error().text);
    }
}

void LineNode::wait_for(const std::string& what) {
    waits_for_.with([&](std::string& text) { text = what; });
}

Readiness LineNode::readiness() {
    if (ready_ && !stopping_ && !failed_) return {true, ""};
    if (stopping_) return {false, "the server is stopping"};
    return {false, waits_for_.with([](const std::string& text) { return text; })};
}

std::vector<PartitionProgress> LineNode::progress() {
    std::vector<PartitionProgress> all;
    for (const RunningLane& running : lanes_) {
        for (const PartitionState& state : running.lane->partitions()) {
            const auto described = log_.describe(state.at.topic);
            Offset end(state.next);
            if (described) {
                for (const PartitionInfo& info : described->front().partitions) {
                    if (info.partition == state.at.partition) end = info.end;
                }
            }
            all.push_back(
                {state.at, state.epoch, Offset(state.next), end, running.lane->pace().rate()});
        }
    }
    return all;
}

void LineNode::set_max_rows_per_s(std::uint32_t per_s) {
    max_rows_per_s_ = per_s;
    // Lanes share the store: each gets its part, at least one.
    const auto count = static_cast<std::uint32_t>(std::max<std::size_t>(1, lanes_.size()));
    for (RunningLane& running : lanes_) {
        running.lane->pace().set_limit(per_s == 0 ? 0 : std::max(1u, per_s / count));
    }
}

void LineNode::stop(MonoTime by) {
    if (stopped_.exchange(true)) return;
    stopping_ = true;
    keeper_wake_->notify();
    keeper_.reset();
    requester_.refuse_all(stopping());
    const std::unique_ptr<Wake> wake = env_.executor.make_wake();
    requester_.wait_until_empty(*wake, by);
    for (RunningLane& running : lanes_) running.lane->stop();
    for (RunningLane& running : lanes_) running.task.reset();
    reader_.stop();
    requester_.abandon_all();
}

const PartitionState* LineNode::state_of(const TopicPartition& at) const {
    for (const Goal& goal : goals_) {
        if (goal.state->at == at) return goal.state;
    }
    return nullptr;
}

Offset LineNode::next(const TopicPartition& at) const {
    const PartitionState* state = state_of(at);
    return Offset(state == nullptr ? 0 : state->next.load());
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
    feed_.decided(items, generation_);
    requester_.decided(items);
    if (!ready_) keeper_wake_->notify();
}

/// A lane that cannot go on takes nothing more in: its callers would wait for ever.
void LineNode::stopped(const Error& why) noexcept {
    failed_ = true;
    requester_.refuse_all(error(Code::not_ready, why.text));
    wait_for(why.text);
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
