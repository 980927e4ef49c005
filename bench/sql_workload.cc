#include "bench/sql_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "penstock/base/env.h"
#include "penstock/base/uuid.h"

namespace penstock::bench {
namespace {

constexpr std::size_t kPerTransaction = 1'000;
constexpr std::size_t kConnections = 8;

struct Sizes {
    std::size_t runs = 5;
    std::size_t claims = 100'000;       // of a lane
    std::size_t locked_claims = 4'000;  // of all connections
};

std::vector<Migration> tables(const Dialect& dialect) {
    const auto text = [&](std::string_view format) {
        return fmt::format(
            fmt::runtime(format), fmt::arg("id", dialect.type("id16")),
            fmt::arg("int", dialect.type("int")), fmt::arg("text", dialect.type("text")),
            fmt::arg("key", dialect.type("key")), fmt::arg("blob", dialect.type("blob")),
            fmt::arg("clustered", dialect.clustered()));
    };
    return {
        {"bench",
         1,
         {text("CREATE TABLE bench_owner (part {int} NOT NULL, epoch {int} NOT NULL, seq {int} "
               "NOT NULL, next_offset {int} NOT NULL, PRIMARY KEY (part)){clustered}"),
          text("CREATE TABLE bench_processed (id {id} NOT NULL, part {int} NOT NULL, body_hash "
               "{id} NOT NULL, outcome {int} NOT NULL, reason {text}, reply {blob} NOT NULL, "
               "topic {text} NOT NULL, partition_no {int} NOT NULL, record_offset {int} NOT NULL, "
               "decided_at {int} NOT NULL, PRIMARY KEY (id, part)){clustered}"),
          text("CREATE TABLE bench_stock (campaign {key} NOT NULL, quantity {int} NOT NULL, "
               "granted {int} NOT NULL, version {int} NOT NULL, PRIMARY KEY (campaign), "
               "CHECK (granted >= 0 AND granted <= quantity)){clustered}"),
          text("CREATE TABLE bench_grant (campaign {key} NOT NULL, user_id {key} NOT NULL, "
               "position {int} NOT NULL, quantity {int} NOT NULL, id {id} NOT NULL, id_text "
               "{text}, record_offset {int} NOT NULL, granted_at {int} NOT NULL, PRIMARY KEY "
               "(campaign, user_id, position), CHECK (quantity > 0)){clustered}"),
          "CREATE UNIQUE INDEX bench_grant_position ON bench_grant (campaign, position)",
          "INSERT INTO bench_owner VALUES (0, 1, 0, 0), (1, 1, 0, 0)",
          "INSERT INTO bench_stock VALUES ('c0', 2000000000, 0, 0), ('c1', 2000000000, 0, 0)"}}};
}

constexpr std::string_view kGrant =
    "INSERT INTO bench_grant (campaign, user_id, position, quantity, id, id_text, record_offset, "
    "granted_at) VALUES (:campaign, :user_id, :position, 1, :id, NULL, :record_offset, "
    ":granted_at)";

struct Claim {
    Uuid id;
    std::string user;
};

/// What callers bring along: made before the clock runs, and by id and user in the order in which
/// the owner writes them.
std::vector<Claim> make_claims(Env& env, std::size_t caller, std::size_t count) {
    std::vector<Claim> claims(count);
    for (Claim& claim : claims) claim.id = make_uuid_v7(env.clock.wall(), env.random);
    std::sort(claims.begin(), claims.end(),
              [](const Claim& a, const Claim& b) { return a.id < b.id; });
    for (std::size_t i = 0; i < count; ++i) {
        claims[i].user = fmt::format("user-{}-{:08}", caller, i);
    }
    return claims;
}

/// One owner of one partition and one campaign.
class Lane {
public:
    Lane(Store& store, std::size_t part, Env& env, std::size_t claims)
        : session_(require(store.open(Role::owner, {}))),
          env_(env),
          part_(static_cast<std::int64_t>(part)),
          campaign_(fmt::format("c{}", part)),
          claims_(make_claims(env, part, claims)) {
        const auto prepare = [&](std::string sql) { return require(session_->prepare(sql)); };
        fence_ = prepare(
            "UPDATE bench_owner SET seq = seq + 1, next_offset = :next WHERE part = :part AND "
            "epoch = 1 AND seq = :seq");
        read_ =
            prepare(fmt::format("SELECT quantity, granted FROM bench_stock WHERE campaign = "
                                ":campaign{}",
                                store.dialect().for_update()));
        take_ = prepare(
            "UPDATE bench_stock SET granted = :after, version = version + 1 WHERE "
            "campaign = :campaign AND granted = :before");
        grant_ = prepare(std::string(kGrant));
        record_ = prepare(
            "INSERT INTO bench_processed (id, part, body_hash, outcome, reason, reply, topic, "
            "partition_no, record_offset, decided_at) VALUES (:id, 0, :body_hash, :outcome, "
            ":reason, :reply, :topic, :partition_no, :record_offset, :decided_at)");
    }

    void run() {
        while (granted_ < claims_.size()) {
            transaction(std::span(claims_).subspan(
                granted_, std::min(kPerTransaction, claims_.size() - granted_)));
        }
    }

private:
    void transaction(std::span<const Claim> claims) {
        fill(claims);
        const std::string_view campaign = campaign_;
        const auto before = static_cast<std::int64_t>(granted_);
        const auto after = static_cast<std::int64_t>(granted_ + claims.size());
        require(session_->begin());
        const Value fence[] = {after, part_, seq_++};
        if (require(run_one(*session_, fence_, fence)).matched != 1) std::abort();
        const Value key[] = {campaign};
        if (require(run_one(*session_, read_, key)).table.integer(0, 1) != before) std::abort();
        const Value taken[] = {after, campaign, before};
        require(run_one(*session_, take_, taken));
        require(session_->run_many(grant_, grants_));
        require(session_->run_many(record_, records_));
        require(session_->commit());
        granted_ += claims.size();
    }

    void fill(std::span<const Claim> claims) {
        const std::int64_t now = unix_ms(env_.clock.wall());
        replies_.resize(claims.size());
        grants_.clear();
        records_.clear();
        for (std::size_t i = 0; i < claims.size(); ++i) {
            const auto number = static_cast<std::int64_t>(granted_ + i + 1);
            replies_[i] = fmt::format(R"({{"claim_id":"{}","position":{},"offset":{}}})",
                                      format_uuid(claims[i].id), number, number);
            const Bytes id = std::as_bytes(std::span(claims[i].id.bytes));
            grants_.insert(grants_.end(),
                           {std::string_view(campaign_), std::string_view(claims[i].user), number,
                            id, number, now});
            records_.insert(records_.end(),
                            {id, id, std::int64_t{1}, std::monostate{}, as_bytes(replies_[i]),
                             std::string_view("sale"), part_, number, now});
        }
    }

    const std::unique_ptr<Session> session_;
    Env& env_;
    const std::int64_t part_;
    const std::string campaign_;
    StatementId fence_, read_, take_, grant_, record_;
    std::size_t granted_ = 0;
    std::int64_t seq_ = 0;
    const std::vector<Claim> claims_;
    std::vector<std::string> replies_;
    std::vector<Value> grants_, records_;
};

/// What a program does that locks the stock's row for each claim.
void claim_with_locks(Store& store, Env& env, std::span<const Claim> claims) {
    const auto session = require(store.open(Role::owner, {}));
    const auto read = require(session->prepare(
        fmt::format("SELECT quantity, granted FROM bench_stock WHERE campaign = 'c0'{}",
                    store.dialect().for_update())));
    const auto take = require(
        session->prepare("UPDATE bench_stock SET granted = granted + 1, version = version + 1 "
                         "WHERE campaign = 'c0'"));
    const auto grant = require(session->prepare(kGrant));
    for (const Claim& claim : claims) {
        require(session->begin());
        const auto position = require(run_one(*session, read, {})).table.integer(0, 1) + 1;
        require(run_one(*session, take, {}));
        const Value row[] = {std::string_view("c0"),
                             std::string_view(claim.user),
                             position,
                             std::as_bytes(std::span(claim.id.bytes)),
                             position,
                             unix_ms(env.clock.wall())};
        require(run_one(*session, grant, row));
        require(session->commit());
    }
}

std::unique_ptr<Store> prepared(const FreshStore& fresh) {
    auto store = fresh();
    require(store->prepare_schema(tables(store->dialect())));
    return store;
}

double lanes_rate(const FreshStore& fresh, std::size_t lanes, std::size_t claims) {
    Env& env = system_env();
    const auto store = prepared(fresh);
    std::vector<std::unique_ptr<Lane>> all;
    for (std::size_t i = 0; i < lanes; ++i) {
        all.push_back(std::make_unique<Lane>(*store, i, env, claims));
    }
    const MonoTime began = env.clock.mono();
    {
        std::vector<std::unique_ptr<Task>> tasks;
        for (const auto& lane : all) {
            tasks.push_back(env.executor.spawn("lane", [&] { lane->run(); }));
        }
    }
    return static_cast<double>(lanes * claims) / seconds_since(began);
}

double locked_rate(const FreshStore& fresh, std::size_t claims) {
    Env& env = system_env();
    const auto store = prepared(fresh);
    std::vector<std::vector<Claim>> callers;
    for (std::size_t i = 0; i < kConnections; ++i) {
        callers.push_back(make_claims(env, i, claims / kConnections));
    }
    const MonoTime began = env.clock.mono();
    {
        std::vector<std::unique_ptr<Task>> tasks;
        for (const auto& own : callers) {
            tasks.push_back(
                env.executor.spawn("claims", [&] { claim_with_locks(*store, env, own); }));
        }
    }
    return static_cast<double>(claims) / seconds_since(began);
}

void measure(std::string_view engine, const Sizes& sizes, const FreshStore& fresh) {
    std::vector<double> one, two, locked, ratio;
    for (std::size_t run = 0; run < sizes.runs; ++run) {
        locked.push_back(locked_rate(fresh, sizes.locked_claims));
        one.push_back(lanes_rate(fresh, 1, sizes.claims));
        two.push_back(lanes_rate(fresh, 2, sizes.claims));
        ratio.push_back(one.back() / locked.back());
    }
    print_figure(engine, "one_lane_claims_per_s", one);
    print_figure(engine, "two_lanes_claims_per_s", two);
    print_figure(engine, "for_update_8_connections_claims_per_s", locked);
    print_figure(engine, "one_lane_of_for_update", ratio);
}

}  // namespace

int run_sql_bench(std::string_view engine, int argc, char** argv, const FreshStore& fresh) {
    Sizes sizes;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--small") {
            sizes = {1, 4'000, 160};
        } else if (argument == "--runs" && i + 1 < argc) {
            sizes.runs = std::max<std::size_t>(1, std::strtoul(argv[++i], nullptr, 10));
        } else {
            fmt::print(stderr, "usage: {}_bench [--runs N] [--small]\n", engine);
            return 64;
        }
    }
    measure(engine, sizes, fresh);
    return 0;
}

}  // namespace penstock::bench
