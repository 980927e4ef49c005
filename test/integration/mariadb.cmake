add_library(penstock_mariadb_kit STATIC mariadb_kit.cc)
target_link_libraries(penstock_mariadb_kit PUBLIC penstock_flags penstock_store_mariadb
  penstock_engines GTest::gtest)

penstock_test(mariadb_store_test
  SOURCES mariadb_store_test.cc mariadb_schema_test.cc mariadb_statements_test.cc
    mariadb_isolation_test.cc
  LINKS penstock_mariadb_kit penstock_fault_proxy penstock_runtime LABELS engines)
