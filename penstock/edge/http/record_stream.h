#pragma once

#include <string>

#include "penstock/edge/http/context.h"

namespace penstock::http {

/// Sends the records of a topic as server-sent events, from an offset or from the end on, for as
/// long as the client listens. The event id is `partition:offset`; Last-Event-ID goes on behind it.
void follow_records(Context& context, const ExchangePtr& exchange, const Request& request,
                    const std::string& topic);

}  // namespace penstock::http
