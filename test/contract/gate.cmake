penstock_test(gate_contract_test
  SOURCES gate_contract.cc gate_rebuild_contract.cc gate_random_contract.cc gate_model.cc
    gate_subject.cc gate_adapters.cc
  LINKS penstock_gate_local penstock_test_seed LABELS contract)
