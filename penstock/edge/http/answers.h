#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/edge/http/response.h"
#include "penstock/runtime/requester.h"

/// The one place where outcomes, refusals and errors become HTTP.
namespace penstock::http {

/// What was asked for: names the id in answers and the place where to ask again.
enum class Noun : std::uint8_t { claim, campaign, command };

struct Asked {
    Noun noun = Noun::command;
    std::string_view id_text;
    bool ready = true;  ///< of the node: before, nothing but recorded outcomes is sure
};

/// An answer before it is a response or a line of a batch.
struct Said {
    int status = 200;
    std::string json;
    std::optional<std::uint32_t> retry_after_s = std::nullopt;
    std::string location = {};
};

/// The answer to a command that was submitted.
Said say(Answered&& answer, const Asked& asked);
/// 202: on the log, not decided.
Said say_waiting(const InLine& in_line, const Asked& asked);
/// 504: nobody knows yet.
Said say_unknown(const Asked& asked);
/// The answer to somebody who asks for an outcome by its id: 200 and the members of the first
/// answer, or 404, or 503 while nobody can know.
Said say_recorded(Answered&& answer, const Asked& asked);
/// 200: where it stands.
Said say_in_line(const InLine& in_line, const Asked& asked);

Response to_response(Said said);
/// As a line of a batch: the same members, and the status first.
void append_line(std::string& out, const Said& said);

/// An error of any other call.
Problem problem_of(const Error& error);
Problem invalid(std::string detail);
Problem not_ready(std::string waits_for);

/// Path under which the outcome of an id can be asked for.
std::string place_to_ask(Noun noun, std::string_view id_text);

}  // namespace penstock::http
