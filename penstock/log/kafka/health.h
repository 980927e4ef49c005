#pragma once

#include <string_view>

namespace penstock::logkafka {

/// Whether a broker is connected and answers, from librdkafka's statistics (STATISTICS.md of its
/// sources: brokers.*.state, waitresp_cnt, rxidle). One that was asked and has said nothing for 5 s
/// does not answer; the connection to a bootstrap address counts only while no broker is known.
/// True where the text cannot be read.
bool some_broker_answers(std::string_view statistics);

}  // namespace penstock::logkafka
