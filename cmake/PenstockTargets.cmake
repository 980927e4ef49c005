# Compiler settings and the two functions with which every folder declares itself.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(PENSTOCK_SANITIZE "" CACHE STRING "address, thread, fuzzer or empty")
option(PENSTOCK_ENGINES "Build the adapters for Kafka, Redis, PostgreSQL and MariaDB" ON)
option(PENSTOCK_FAILPOINTS "Compile the failpoints and test switches in" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(GTest REQUIRED)
find_package(CLI11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS context json url)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
if(PENSTOCK_ENGINES)
  pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
  pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
  pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
  pkg_check_modules(LIBMARIADB REQUIRED IMPORTED_TARGET libmariadb)
endif()

add_library(penstock_flags INTERFACE)
target_include_directories(penstock_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(penstock_flags INTERFACE
  -Wall -Wextra -Werror -Wnon-virtual-dtor -Wno-missing-field-initializers
  -fstack-protector-strong -fstack-clash-protection -fcf-protection
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_compile_definitions(penstock_flags INTERFACE
  _GLIBCXX_ASSERTIONS
  $<$<CONFIG:Release>:_FORTIFY_SOURCE=3>
  $<$<BOOL:${PENSTOCK_FAILPOINTS}>:PENSTOCK_FAILPOINTS=1>)
target_link_options(penstock_flags INTERFACE -pie -Wl,-z,relro,-z,now)
target_link_libraries(penstock_flags INTERFACE fmt::fmt)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(penstock_flags INTERFACE -Wthread-safety)
else()
  # GCC 12 finds overlaps in string concatenations that are none (GCC bug 105651).
  target_compile_options(penstock_flags INTERFACE -Wno-restrict)
endif()

if(PENSTOCK_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(PENSTOCK_ASAN=1)
elseif(PENSTOCK_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -Wno-tsan)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(PENSTOCK_TSAN=1)
elseif(PENSTOCK_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

# penstock_library(NAME [LINKS target...] [TEST_LINKS target...]): one static library of every .cc
# here, and NAME_test of every *_test.cc beside them.
# LINKS names exactly the folder's row of the dependency rule and the one library that it wraps.
function(penstock_library name)
  cmake_parse_arguments(ARG "" "" "LINKS;TEST_LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/main/penstock\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC penstock_flags ${ARG_LINKS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE penstock_flags ${ARG_LINKS})
  endif()
  if(tests)
    penstock_test(${name}_test SOURCES ${tests} LINKS ${name} ${ARG_TEST_LINKS} LABELS unit)
  endif()
endfunction()

add_custom_target(sanitized_tests)
add_custom_target(fuzz_targets)

# penstock_test(NAME SOURCES file... LINKS target... [LABELS label...] [ARGS arg...] [TIMEOUT s]):
# one GoogleTest program, one ctest case. Tests with the label contract or scenario are the short
# sanitizer runs of `./dev test`. Left out of TSan: those with the label fiber, which switch stacks,
# and with no-tsan: librdkafka starts C11 threads, which TSan does not see and ends at.
function(penstock_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE penstock_flags ${ARG_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
    if(PENSTOCK_SANITIZE)
      set(ARG_TIMEOUT 1200)
    endif()
  endif()
  if(ARG_LABELS MATCHES "contract|scenario" AND NOT ARG_LABELS MATCHES "long|fiber")
    list(APPEND ARG_LABELS sanitize-short)
    add_dependencies(sanitized_tests ${name})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
