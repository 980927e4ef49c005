add_library(penstock_http_node STATIC
  ${CMAKE_CURRENT_LIST_DIR}/http_client.cc ${CMAKE_CURRENT_LIST_DIR}/http_node.cc)
target_link_libraries(penstock_http_node PUBLIC penstock_http penstock_runtime penstock_sale
  penstock_log_memory penstock_gate_local penstock_store_sqlite GTest::gtest Boost::json)

foreach(part protocol calls waiting topics openapi docs hostile)
  penstock_test(http_${part}_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_${part}_test.cc
    LINKS penstock_http_node LABELS integration)
endforeach()
target_compile_definitions(http_docs_test PRIVATE PENSTOCK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
