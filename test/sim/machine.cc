#include "test/sim/machine.h"

#include "penstock/core/command.h"
#include "penstock/log/file/file_log.h"
#include "penstock/runtime/ownership.h"
#include "penstock/runtime/schema.h"
#include "penstock/verify/verify.h"

namespace penstock::test {
namespace {

constexpr std::chrono::minutes kPatience{10};
constexpr std::chrono::milliseconds kPoll{1};

}  // namespace

/// In the order in which they are made; the other way round they go.
struct Machine::Process {
    std::unique_ptr<SqliteStore> store;
    std::unique_ptr<Log> real_log, wrapped_log;
    std::unique_ptr<LocalGate> gate;
    std::unique_ptr<Node> node;

    Log& log() { return wrapped_log ? *wrapped_log : *real_log; }
};

Machine::Machine(MachineOptions options)
    : options_(std::move(options)),
      world_(options_.seed),
      log_disk_(std::make_unique<MemoryLogDisk>()),
      inbox_(world_.env()) {}

Machine::~Machine() {
    cut_power();
}

void Machine::run(const std::function<void()>& body) {
    world_.run_until_off(body);
}

void Machine::cut_power() {
    world_.executor().kill_all();
    log_disk_->crash();
    world_.cut_power();
    if (process_) abandon(std::move(process_));
}

bool Machine::boot() {
    PENSTOCK_CHECK(!process_);
    process_ = std::make_shared<Process>();
    fatal_.reset();
    const auto started = start(*process_);
    if (!started) {
        failure_ = started.error().text;
        return false;
    }
    failure_ = "it did not become ready";
    if (!until([&] { return process_->node->readiness().ready || world_.is_off(); })) return false;
    if (!process_->node->readiness().ready) return false;
    failure_.clear();
    return true;
}

Result<void> Machine::start(Process& process) {
    Env& env = world_.env();
    SqliteOptions store_options;
    store_options.path = world_.directory() + "/penstock.db";
    store_options.vfs = world_.vfs();
    store_options.durable = options_.store_is_durable;
    store_options.checkpoint_pages = options_.checkpoint_pages;
    store_options.restart_pages = options_.checkpoint_pages * 2;
    auto store = SqliteStore::open(store_options, env);
    if (!store) return store.error();
    process.store = std::move(*store);
    PENSTOCK_TRY(env.files.sync_directory(world_.directory()));  // as penstock/main does
    const auto apps = [] {
        std::vector<std::unique_ptr<App>> made;
        made.push_back(sale::make_sale());
        return made;
    };
    PENSTOCK_TRY(prepare_tables(*process.store, apps()));
    PENSTOCK_TRY(open_log(process));
    if (wrap_log_) process.wrapped_log = wrap_log_(*process.real_log);
    process.gate = std::make_unique<LocalGate>(env);
    process.node = make_node(env, process.log(), *process.gate, *process.store, apps, options_.node,
                             *observer_);
    return process.node->start();
}

Result<void> Machine::open_log(Process& process) {
    Env& env = world_.env();
    if (!options_.file_log) {
        MemoryLogOptions options;
        options.sync_time = options_.log_sync_time;
        process.real_log = std::make_unique<MemoryLog>(env, *log_disk_, options);
        return {};
    }
    FileLogOptions options;
    options.directory = world_.directory() + "/log";
    options.first_segment_bytes = options_.segment_bytes;
    options.segment_bytes = options_.segment_bytes;
    const auto owned = read_owned(*process.store, options_.node.group);
    if (!owned) return owned.error();
    for (const auto& [at, row] : *owned) options.applied[at] = Applied{row.next, row.fingerprint};
    options.on_fatal = [this](const Error& failure) {
        fatal_ = failure;
        observer_->fatal(failure);
    };
    auto log = FileLog::open(env, options);
    if (!log) return log.error();
    process.real_log = std::move(*log);
    return {};
}

void Machine::shut_down(std::chrono::seconds patience) {
    if (!process_) return;
    const MonoTime by = world_.env().clock.mono() + patience;
    if (process_->node) process_->node->stop(by);
    if (process_->real_log) process_->real_log->stop(by);
    process_->node.reset();
    process_->gate.reset();
    process_->wrapped_log.reset();
    process_->real_log.reset();
    process_->store.reset();
    process_.reset();
}

std::uint64_t Machine::submit(const Made& made) {
    const std::uint64_t tag = inbox_.new_tag();
    node().requester().submit({&made.submission(), 1}, tag, inbox_);
    return tag;
}

Answered Machine::wait(std::uint64_t tag) {
    auto answer = inbox_.wait(tag);
    return answer ? *answer : Answered(unknown_effect(Code::io, "no answer came"));
}

Answered Machine::ask_until_final(const ClaimForm& claim) {
    const MonoTime until = world_.env().clock.mono() + kPatience;
    for (;;) {
        const Answered answer = ask(claim);
        const auto* refused = std::get_if<NotAdmitted>(&answer);
        const bool again = std::holds_alternative<Error>(answer) ||
                           (refused != nullptr && (refused->why == Admission::none_free ||
                                                   refused->why == Admission::not_enough ||
                                                   refused->why == Admission::rebuilding));
        if (!again || world_.env().clock.mono() >= until) return answer;
        sleep(kPoll);
    }
}

Answered Machine::look_up(const std::string& id) {
    const std::uint64_t tag = inbox_.new_tag();
    node().requester().look_up(uuid_of_id(id), tag, inbox_);
    return wait(tag);
}

void Machine::produce(const ClaimForm& claim) {
    struct Sink final : AppendSink {
        void appended(std::span<const Appended> results) noexcept override {
            ok = results[0].offset.ok();
        }
        std::optional<bool> ok;
    } sink;
    const Made made(claim, now());
    const CommandRecord command(made.submission().command);
    const Record record = command.record();
    log().append({TopicId(std::string(sale::kTopic)), PartitionId(0)}, {&record, 1}, 0, sink);
    PENSTOCK_CHECK(until([&] { return sink.ok.has_value(); }) && *sink.ok);
}

void Machine::create(const std::string& campaign, const sale::Campaign& body) {
    const Answered answer = ask(Made(campaign, body, now()));
    PENSTOCK_CHECK(std::holds_alternative<Settlement>(answer));
}

std::vector<std::string> Machine::verify() {
    auto session = store().open(Role::reader, SessionLimits{});
    if (!session) return {session.error().text};
    const auto counts = [this]() -> Result<std::vector<GateCounts>> {
        auto reader = store().open(Role::reader, SessionLimits{});
        if (!reader) return reader.error();
        PENSTOCK_TRY((*reader)->begin());
        const auto rows = sale::read_campaigns(**reader);
        (*reader)->rollback();
        if (!rows) return rows.error();
        std::vector<GateCounts> all;
        for (const sale::CampaignRow& row : *rows) {
            auto one = gate().counts(ResourceId(row.id));
            if (!one) return one.error();
            all.push_back(*std::move(one));
        }
        return all;
    };
    const auto verdict = verify::verify({.log = log(),
                                         .reader = **session,
                                         .now = now(),
                                         .group = options_.node.group,
                                         .dedup_horizon = options_.node.dedup_horizon,
                                         .gate = counts});
    if (!verdict) return {verdict.error().text};
    if (verdict->ok()) return {};
    return {verify::to_text(*verdict)};
}

void Machine::sleep(std::chrono::nanoseconds time) {
    const auto wake = world_.env().executor.make_wake();
    wake->wait_until(world_.env().clock.mono() + time);
}

bool Machine::until(const std::function<bool()>& condition) {
    const MonoTime give_up = world_.env().clock.mono() + kPatience;
    while (!condition()) {
        if (world_.env().clock.mono() >= give_up) return false;
        sleep(kPoll);
    }
    return true;
}

LogTime Machine::now() {
    return world_.env().clock.wall();
}

Node& Machine::node() {
    PENSTOCK_CHECK(process_ && process_->node);
    return *process_->node;
}
Log& Machine::log() {
    return process_->log();
}
LocalGate& Machine::gate() {
    return *process_->gate;
}
SqliteStore& Machine::store() {
    return *process_->store;
}
}  // namespace penstock::test
