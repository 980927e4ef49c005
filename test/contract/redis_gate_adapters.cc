#include "penstock/gate/redis/redis_gate.h"
#include "test/contract/gate_contract.h"
#include "test/kit/engines.h"

namespace penstock::contract {
namespace {

/// One server for the whole program: each fixture has a prefix of its own.
class Server final : public testing::Environment {
public:
    void SetUp() override {
        engines_ = std::make_unique<test::Engines>();
        url_ = engines_->start("redis", "redis", {{"appendonly", "no"}, {"save", ""}}).url;
    }
    void TearDown() override { engines_.reset(); }
    const std::string& url() const { return url_; }

private:
    std::unique_ptr<test::Engines> engines_;
    std::string url_;
};

Server& server() {
    static auto* const server = new Server;  // owned by GoogleTest
    return *server;
}
const testing::Environment* const kServer = testing::AddGlobalTestEnvironment(&server());

class NoObserver final : public RedisGateObserver {
public:
    void rebuild_needed(std::string_view, std::string_view) noexcept override {}
    void settlements_dropped(std::string_view, std::string_view) noexcept override {}
};

class RedisFixture final : public GateFixture {
public:
    RedisFixture(std::size_t claims_per_call, std::size_t calls_in_flight) {
        static int made = 0;
        RedisGateOptions options;
        options.url = server().url();
        options.prefix = "contract-" + std::to_string(made++) + ":";
        options.claims_per_call = claims_per_call;
        options.calls_in_flight = calls_in_flight;
        auto gate = RedisGate::open(system_env(), options, observer_);
        if (!gate) throw std::runtime_error(gate.error().text);
        gate_ = *std::move(gate);
    }
    Env& env() override { return system_env(); }
    Gate& gate() override { return *gate_; }

private:
    NoObserver observer_;
    std::unique_ptr<RedisGate> gate_;
};

GateAdapter adapter(std::string name, std::size_t claims_per_call, std::size_t calls_in_flight) {
    return {std::move(name), [=]() -> std::unique_ptr<GateFixture> {
                return std::make_unique<RedisFixture>(claims_per_call, calls_in_flight);
            }};
}

INSTANTIATE_TEST_SUITE_P(Adapters, GateContract,
                         testing::Values(adapter("redis", 1000, 2),
                                         adapter("redis_one_call_each", 1, 16)),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace penstock::contract
