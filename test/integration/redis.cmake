# They leave checks out, which only builds with the test switches can.
if(PENSTOCK_ENGINES AND PENSTOCK_FAILPOINTS)
  add_library(penstock_redis_subject STATIC redis_subject.cc ../contract/gate_subject.cc)
  target_link_libraries(penstock_redis_subject PUBLIC penstock_flags penstock_gate_redis
    penstock_engines penstock_fault_proxy GTest::gtest)
  penstock_test(redis_gate_test SOURCES redis_gate_loss_test.cc redis_gate_fault_test.cc
    redis_gate_connect_test.cc
    LINKS penstock_redis_subject penstock_test_seed LABELS engines)
endif()
