penstock_test(gate_redis_contract_test
  SOURCES gate_contract.cc gate_rebuild_contract.cc gate_random_contract.cc gate_model.cc
    gate_subject.cc redis_gate_adapters.cc
  LINKS penstock_gate_redis penstock_engines penstock_test_seed LABELS engines TIMEOUT 600)
