#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/edge/http/context.h"

namespace penstock::http {

/// One command that a request asks for, with the memory that its submission borrows from.
struct CommandRequest {
    CommandId id;
    std::string data;  ///< canonical
    std::string target;
    std::optional<LogTime> deadline;
    std::optional<Said> said;  ///< set: answered already, perhaps before it was submitted
};

/// What the commands of one call have in common.
struct CommandCallOptions {
    Noun noun = Noun::command;
    std::string type, key, traceparent;
    Preference preference;
    bool batch = false;  ///< answered as NDJSON, a line each
};

/// Submits the commands of one call, waits for their outcomes or as long as the caller wishes, and
/// answers the exchange.
void call_commands(Context& context, const ExchangePtr& exchange, CommandCallOptions options,
                   std::vector<CommandRequest> commands);
void call_command(Context& context, const ExchangePtr& exchange, CommandCallOptions options,
                  CommandRequest command);

/// Answers what became of an id: its outcome, its place in line, or that nothing is known.
void ask_for_outcome(Context& context, const ExchangePtr& exchange, Noun noun,
                     std::string_view id_text);

}  // namespace penstock::http
