penstock_test(log_contract_test SOURCES log_contract.cc log_adapters.cc
  LINKS penstock_log_memory penstock_log_file LABELS contract)
