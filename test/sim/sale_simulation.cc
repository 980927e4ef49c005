#include "test/sim/sale_simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/verify/verify.h"
#include "test/sim/machine.h"
#include "test/sim/sale_history.h"
#include "test/sim/script.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kClients = 8;
constexpr std::size_t kCallers = 37;  // of each: 296
constexpr std::size_t kTries = 3;     // while units may come back
constexpr std::uint64_t kFnvPrime = 0x100000001b3ull;

/// What a caller is about; kept over the crashes of the server.
struct Caller {
    std::optional<ClaimForm> claim;
    Planned* creates = nullptr;  ///< instead of a claim
    bool in_flight = false;
    std::size_t none_free = 0;
    MonoTime next_try{};
};

class Simulation;

/// Callers that share a fiber. Its inbox outlives the process that fills it.
class Client final : public ReplySink {
public:
    Client(Simulation& simulation, Env& env);
    void work();  ///< the fiber; returns when no caller has anything to do any more
    void server_died();
    std::size_t in_flight() const;

    void replied(std::span<Reply> replies) noexcept override {
        for (Reply& reply : replies) inbox_.push_back(std::move(reply));
        wake_->notify();
    }

private:
    void take_replies();
    void submit(std::size_t index);
    bool give_work(Caller& caller);

    Simulation& simulation_;
    Env& env_;
    const std::unique_ptr<Wake> wake_;
    std::vector<Reply> inbox_;
    std::vector<Caller> callers_{kCallers};
};

class Simulation {
public:
    explicit Simulation(const SimulationOptions& options);
    SimulationReport run();

    void answered(Caller& caller, const Answered& answer);

    Machine& machine() { return machine_; }
    Script& script() { return script_; }
    SaleHistory& history() { return history_; }

private:
    void run_until_cut(bool last);
    void call(bool last);
    void plan_cut();
    void sell_out();
    void check();
    void trace(std::string_view what);
    void wrong(std::string text) { report_.wrong.push_back(std::move(text)); }

    const SimulationOptions options_;
    Script script_;
    Machine machine_;
    SaleHistory history_;
    SimulationReport report_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<std::unique_ptr<Task>> tasks_;
    const std::unique_ptr<Wake> nemesis_;
    std::size_t cut_after_ = 0;  ///< answers; 0: the power stays
};

Client::Client(Simulation& simulation, Env& env)
    : simulation_(simulation), env_(env), wake_(env.executor.make_wake()) {}

void Client::work() {
    for (;;) {
        take_replies();
        bool waits = false;
        MonoTime next = kNever;
        for (std::size_t i = 0; i < callers_.size(); ++i) {
            Caller& caller = callers_[i];
            waits = waits || caller.in_flight;
            if (caller.in_flight || !give_work(caller)) continue;
            waits = true;
            if (caller.next_try <= env_.clock.mono()) {
                submit(i);
            } else {
                next = std::min(next, caller.next_try);
            }
        }
        if (!waits && simulation_.script().over()) return;
        // Without work: a campaign may open yet.
        if (!waits) next = env_.clock.mono() + 1ms;
        if (inbox_.empty()) wake_->wait_until(next);
    }
}

bool Client::give_work(Caller& caller) {
    if (caller.claim || caller.creates) return true;
    caller = Caller{};
    caller.creates = simulation_.script().next_campaign();
    if (!caller.creates) {
        caller.claim = simulation_.script().next_claim(simulation_.machine().now());
    }
    return caller.claim || caller.creates;
}

void Client::submit(std::size_t index) {
    Caller& caller = callers_[index];
    const LogTime now = simulation_.machine().now();
    if (caller.creates && !caller.claim) {
        caller.claim = ClaimForm{};
        caller.claim->id = "create-" + caller.creates->id;
    }
    const auto made =
        caller.creates ? std::make_unique<Made>(caller.creates->id, caller.creates->campaign, now)
                       : std::make_unique<Made>(*caller.claim, now);
    simulation_.history().asked(*caller.claim);
    caller.in_flight = true;
    simulation_.machine().node().requester().submit({&made->submission(), 1}, index, *this);
    caller.claim->fresh_id = false;
}

void Client::take_replies() {
    std::vector<Reply> replies;
    replies.swap(inbox_);
    for (const Reply& reply : replies) {
        Caller& caller = callers_[reply.tag];
        caller.in_flight = false;
        simulation_.answered(caller, reply.answer);
    }
}

void Client::server_died() {
    inbox_.clear();
    for (Caller& caller : callers_) caller.in_flight = false;
}

std::size_t Client::in_flight() const {
    return static_cast<std::size_t>(std::count_if(
        callers_.begin(), callers_.end(), [](const Caller& caller) { return caller.in_flight; }));
}

MachineOptions machine_options(const SimulationOptions& options) {
    MachineOptions machine;
    machine.seed = options.seed;
    machine.file_log = options.file_log;
    machine.store_is_durable = options.bug != PlantedBug::store_not_durable;
    return machine;
}

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      script_(options.seed),
      machine_(machine_options(options)),
      nemesis_(machine_.world().env().executor.make_wake()) {
    machine_.world().files().lie(options.bug == PlantedBug::sync_lies);
    for (std::size_t i = 0; i < kClients; ++i) {
        clients_.push_back(std::make_unique<Client>(*this, machine_.world().env()));
    }
}

SimulationReport Simulation::run() {
    report_.units = script_.units();
    const std::uint64_t cuts = 1 + script_.below(4);
    for (std::uint64_t i = 0; i <= cuts && report_.wrong.empty(); ++i) run_until_cut(i == cuts);
    report_.claims = history_.by_id().size();
    trace(fmt::format("{:x}", machine_.world().executor().trace()));
    return std::move(report_);
}

void Simulation::run_until_cut(bool last) {
    World& world = machine_.world();
    if (!last) plan_cut();
    machine_.run([&] { call(last); });
    std::size_t in_flight = 0;
    for (const auto& client : clients_) in_flight += client->in_flight();
    trace(fmt::format("cut at {} with {}", world.env().clock.mono().time_since_epoch().count(),
                      in_flight));
    machine_.cut_power();
    tasks_.clear();
    cut_after_ = 0;
    if (last) return;
    ++report_.power_cuts;
    report_.cuts_in_flight += in_flight > 0;
    for (const auto& client : clients_) client->server_died();
}

/// The power fails a moment after some answer, or, one time in five, a moment after the start.
void Simulation::plan_cut() {
    World& world = machine_.world();
    const bool at_start = script_.below(5) == 0;
    const std::chrono::microseconds moment(script_.below(at_start ? 4'000 : 500));
    cut_after_ = 1 + script_.below(script_.claims() / 3);
    if (at_start) nemesis_->notify();
    tasks_.push_back(world.executor().spawn("nemesis", [this, moment] {
        nemesis_->wait_until(kNever);
        machine_.sleep(moment);
        machine_.world().fail_power();
    }));
}

void Simulation::call(bool last) {
    Env& env = machine_.world().env();
    if (!machine_.boot()) {
        if (!machine_.world().is_off()) wrong("did not start: " + machine_.failure());
        return;
    }
    trace("up");
    {
        std::vector<std::unique_ptr<Task>> callers;
        for (const auto& client : clients_) {
            callers.push_back(env.executor.spawn("client", [&client] { client->work(); }));
        }
    }  // joins them
    if (!last) return;
    sell_out();
    machine_.shut_down();
    if (!machine_.boot()) return wrong("did not start again: " + machine_.failure());
    check();
    machine_.shut_down();
}

/// Notes the answer, and whether the caller is done with its claim.
void Simulation::answered(Caller& caller, const Answered& answer) {
    const ClaimForm claim = *caller.claim;
    const std::string word = word_of(answer);
    trace(claim.id);
    trace(word);
    trace(settled_bytes(answer));
    if (++report_.answers == cut_after_ && cut_after_ != 0) nemesis_->notify();
    if (auto contradiction = history_.answered(claim, answer); !contradiction.empty()) {
        wrong(std::move(contradiction));
    }
    const std::uint64_t offset = member_of(answer, "offset");
    for (const PartitionProgress& progress : machine_.node().progress()) {
        if (offset >= progress.next.value() || progress.next > progress.end) {
            wrong(fmt::format("{}: answered {} with offset {}, applied {}, durable {}", claim.id,
                              word, offset, progress.next.value(), progress.end.value()));
        }
    }
    const auto* refused = std::get_if<NotAdmitted>(&answer);
    const bool may_come_back = refused && refused->why == Admission::none_free;
    const bool not_ready =
        std::holds_alternative<Error>(answer) || (refused && refused->why == Admission::rebuilding);
    if (not_ready || (may_come_back && ++caller.none_free < kTries)) {
        caller.next_try = machine_.world().env().clock.mono() +
                          std::chrono::microseconds(100 + script_.below(5'000));
        return;
    }
    if (caller.creates) caller.creates->created = true;
    if (word == "no_resource" || word == "id_reused" || word == "id_too_old") {
        wrong(claim.id + " was told " + word);
    }
    caller = Caller{};
}

/// Newcomers claim until each campaign is sold out: nothing that was admitted is lost.
void Simulation::sell_out() {
    for (const Planned& planned : script_.campaigns()) {
        for (;;) {
            const ClaimForm claim = script_.claim_of_newcomer(planned);
            history_.asked(claim);
            const Answered answer = machine_.ask_until_final(claim);
            trace(settled_bytes(answer));
            if (auto bad = history_.answered(claim, answer); !bad.empty()) wrong(std::move(bad));
            const std::string word = word_of(answer);
            if (word == "granted") continue;
            if (word != "sold_out") wrong(claim.id + " was told " + word);
            break;
        }
    }
}

void Simulation::check() {
    std::map<std::string, Expected> expected;
    for (const Planned& planned : script_.campaigns()) {
        expected[planned.id] = {planned.campaign.quantity, planned.campaign.per_user};
    }
    for (auto& text :
         check_sale(history_, expected, machine_.log(), machine_.store(), machine_.gate())) {
        wrong(std::move(text));
    }
    for (auto& text : machine_.verify()) wrong(std::move(text));
}

void Simulation::trace(std::string_view what) {
    for (const char c : what) {
        report_.trace = (report_.trace ^ static_cast<unsigned char>(c)) * kFnvPrime;
    }
    report_.trace = (report_.trace ^ 0xff) * kFnvPrime;
}

}  // namespace

SimulationReport simulate_sale(const SimulationOptions& options) {
    return Simulation(options).run();
}

}  // namespace penstock::test
