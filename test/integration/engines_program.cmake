# The program on real engines: bad input, and every pairing of log, gate and store.
if(NOT PENSTOCK_SANITIZE)
  foreach(name engines_program_test engines_line_test)
    add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/${name}.py
                                  $<TARGET_FILE:penstock>)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 RUN_SERIAL ON LABELS engines)
  endforeach()
endif()
