# The log on real brokers, and on librdkafka's own mock of them.
if(PENSTOCK_ENGINES)
  penstock_test(kafka_producer_test SOURCES kafka_producer_test.cc
    LINKS penstock_log_kafka LABELS engines no-tsan)
  penstock_test(kafka_log_test SOURCES kafka_log_test.cc kafka_topics_test.cc kafka_kit.cc
    LINKS penstock_log_kafka penstock_engines LABELS engines no-tsan)
  penstock_test(kafka_faults_test
    SOURCES kafka_faults_test.cc kafka_cluster_test.cc kafka_load.cc kafka_kit.cc
    LINKS penstock_log_kafka penstock_engines LABELS engines no-tsan)
endif()
