penstock_test(log_kafka_contract_test SOURCES log_contract.cc kafka_log_adapter.cc
  LINKS penstock_log_kafka penstock_engines LABELS engines no-tsan)
