find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(NOT PENSTOCK_SANITIZE)
  add_test(NAME program_test
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/program_test.py $<TARGET_FILE:penstock>)
  set_tests_properties(program_test PROPERTIES TIMEOUT 300 LABELS integration)
endif()
