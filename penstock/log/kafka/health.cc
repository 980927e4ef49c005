#include "penstock/log/kafka/health.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace penstock::logkafka {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSilent_us = 5'000'000;

std::int64_t number(const json::object& broker, std::string_view name) {
    const json::value* found = broker.if_contains(name);
    return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

bool answers(const json::object& broker) {
    const json::value* state = broker.if_contains("state");
    if (state == nullptr || !state->is_string() || state->get_string() != "UP") return false;
    return number(broker, "waitresp_cnt") == 0 || number(broker, "rxidle") < kSilent_us;
}

}  // namespace

bool some_broker_answers(std::string_view statistics) {
    boost::system::error_code failed;
    const json::value parsed = json::parse(statistics, failed);
    const json::value* brokers =
        !failed && parsed.is_object() ? parsed.get_object().if_contains("brokers") : nullptr;
    if (brokers == nullptr || !brokers->is_object()) return true;
    bool known = false, bootstrap = false;
    for (const auto& [name, value] : brokers->get_object()) {
        if (!value.is_object()) continue;
        const json::object& broker = value.get_object();
        const bool member = number(broker, "nodeid") >= 0;
        if (member && answers(broker)) return true;
        known = known || member;
        bootstrap = bootstrap || (!member && answers(broker));
    }
    return !known && bootstrap;
}

}  // namespace penstock::logkafka
