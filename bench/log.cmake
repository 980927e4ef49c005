add_executable(log_bench log_bench.cc)
target_link_libraries(log_bench PRIVATE penstock_flags penstock_log_file)
add_test(NAME log_bench_small COMMAND log_bench --small --runs 1)
set_tests_properties(log_bench_small PROPERTIES TIMEOUT 120 LABELS bench)
