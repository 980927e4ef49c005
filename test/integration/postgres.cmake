add_library(penstock_postgres_fixture STATIC ${CMAKE_CURRENT_LIST_DIR}/postgres_fixture.cc)
target_link_libraries(penstock_postgres_fixture PUBLIC penstock_runtime penstock_store_postgres
  penstock_engines penstock_fault_proxy penstock_test_seed GTest::gtest)

foreach(part store faults)
  penstock_test(postgres_${part}_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/postgres_${part}_test.cc
    LINKS penstock_postgres_fixture LABELS engines)
endforeach()
