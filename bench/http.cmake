add_executable(http_floor ${CMAKE_CURRENT_LIST_DIR}/http_floor.cc)
target_link_libraries(http_floor PRIVATE penstock_flags)
add_executable(http_bench ${CMAKE_CURRENT_LIST_DIR}/http_bench.cc)
target_link_libraries(http_bench PRIVATE penstock_http penstock_sale penstock_log_file
  penstock_gate_local penstock_store_sqlite Boost::json)
