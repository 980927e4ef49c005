#include "penstock/gate/local/local_gate.h"
#include "test/contract/gate_contract.h"

namespace penstock::contract {
namespace {

class LocalFixture final : public GateFixture {
public:
    Env& env() override { return system_env(); }
    Gate& gate() override { return gate_; }

private:
    LocalGate gate_{system_env()};
};

template <class Fixture>
GateAdapter adapter(std::string name) {
    return {std::move(name),
            []() -> std::unique_ptr<GateFixture> { return std::make_unique<Fixture>(); }};
}

INSTANTIATE_TEST_SUITE_P(Adapters, GateContract, testing::Values(adapter<LocalFixture>("local")),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace penstock::contract
