penstock_test(load_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/load_test.cc
  LINKS penstock_load penstock_verify penstock_http_node LABELS integration)
