#include "penstock/edge/http/answers.h"

#include "penstock/apps/sale/sale.h"
#include "penstock/base/url.h"

namespace penstock::http {
namespace {

struct Reason {
    std::string_view code;
    int status;
    std::string_view detail;
};

/// Reasons with which an owner refuses for good, and the gate's words for one attempt.
constexpr Reason kReasons[] = {
    {"sold_out", 409, "All units are granted, for good."},
    {"not_enough", 409, "Fewer units are left than were asked for; ask for fewer."},
    {"limit_reached", 409, "This user would have more units than the campaign allows one user."},
    {"none_free", 409, "All units are granted or being decided; some may come back, try again."},
    {"not_open", 403, "The campaign is not open yet."},
    {"closed", 403, "The campaign is closed."},
    {"no_campaign", 404, "There is no such campaign."},
    {"conflict", 409, "The campaign exists with other settings; it keeps them."},
    {"invalid", 400, "The command's data is not of the form that its type has."},
    {"expired", 409, "The deadline had passed before it was this command's turn."},
    {"failed", 500, "The handler failed; the command is kept as a dead letter."},
    {"unknown_type", 404, "No handler is known for this type of command."},
};

const Reason* find_reason(std::string_view code) {
    for (const Reason& reason : kReasons) {
        if (reason.code == code) return &reason;
    }
    return nullptr;
}

const char* id_member(Noun noun) {
    return noun == Noun::claim ? "claim_id" : "command_id";
}

void append_id(std::string& out, const Asked& asked) {
    out += ",\"";
    out += id_member(asked.noun);
    out += "\":";
    append_json_string(out, asked.id_text);
}

Said said_of(const Problem& problem, const Asked& asked) {
    Said said{problem.status, {}, problem.retry_after_s};
    said.json.reserve(256 + problem.detail.size());
    open_problem(said.json, problem.status, problem.code, problem.effect, problem.detail);
    append_id(said.json, asked);
    said.json += problem.members;
    said.json += '}';
    return said;
}

Said say_done(Done& done, bool first, const Asked& asked) {
    // A campaign that was there already with this body was not created by this command.
    const bool created = first && (asked.noun == Noun::claim ||
                                   (asked.noun == Noun::campaign &&
                                    done.reply.find("\"created\":true") != std::string::npos));
    Said said{created ? 201 : 200, done.reply.empty() ? "{}" : std::move(done.reply)};
    if (asked.noun != Noun::campaign) said.location = place_to_ask(asked.noun, asked.id_text);
    return said;
}

Said say_refused(const Refused& refused, const Asked& asked) {
    const Reason* reason = find_reason(refused.reason);
    const std::string_view text = !refused.text.empty() ? std::string_view(refused.text)
                                  : reason              ? reason->detail
                                                        : "The command was refused.";
    Said said{reason ? reason->status : 409, {}};
    open_problem(said.json, said.status, refused.reason, Effect::none, text);
    append_id(said.json, asked);
    said.json += '}';
    return said;
}

const char* code_of(Admission why) {
    return why == Admission::no_resource ? "no_campaign" : to_string(why);
}

Said say_not_admitted(const NotAdmitted& refusal, const Asked& asked) {
    if (refusal.why == Admission::rebuilding || !asked.ready) {
        return said_of(not_ready("the gate is being rebuilt"), asked);
    }
    const Reason* reason = find_reason(code_of(refusal.why));
    if (!reason) return say_unknown(asked);
    Said said{reason->status, {}};
    said.json.reserve(320);
    open_problem(said.json, reason->status, reason->code, Effect::none, reason->detail);
    append_id(said.json, asked);
    if (refusal.why == Admission::none_free || refusal.why == Admission::not_enough ||
        refusal.why == Admission::sold_out) {
        said.json += ",\"left\":" + std::to_string(refusal.left);
    }
    said.json += '}';
    if (refusal.why == Admission::none_free) said.retry_after_s = 1;
    return said;
}

Said say_error(const Error& error, const Asked& asked) {
    if (error.effect == Effect::unknown) return say_unknown(asked);
    return said_of(problem_of(error), asked);
}

std::string waiting_json(const InLine& in_line, const Asked& asked) {
    std::string out = "{\"";
    out += id_member(asked.noun);
    out += "\":";
    append_json_string(out, asked.id_text);
    out += ",\"status\":\"waiting\",\"place\":" + std::to_string(in_line.place);
    out += ",\"estimated_wait_ms\":" + std::to_string(in_line.estimated_wait.count()) + "}";
    return out;
}

}  // namespace

std::string place_to_ask(Noun noun, std::string_view id_text) {
    return (noun == Noun::claim ? "/v1/claims/" : "/v1/commands/") + percent_encode(id_text);
}

Problem invalid(std::string detail) {
    return {400, "invalid", std::move(detail)};
}

Problem not_ready(std::string waits_for) {
    return {503, "not_ready", "Not ready: " + std::move(waits_for) + "; ask again.", Effect::none,
            1};
}

Problem problem_of(const Error& error) {
    const auto problem = [&](int status, std::optional<std::uint32_t> retry_after_s = {}) {
        return Problem{status, to_string(error.code), error.text, error.effect, retry_after_s};
    };
    if (error.effect == Effect::unknown) return problem(504, 1);
    switch (error.code) {
        case Code::invalid:
            return problem(400);
        case Code::not_found:
            return problem(404);
        case Code::exists:
            return problem(409);
        case Code::out_of_range:
            return problem(416);
        case Code::too_large:
            return problem(413);
        case Code::no_space:
            return problem(507, 10);
        case Code::overloaded:
        case Code::not_ready:
        case Code::stopped:
        case Code::conflict:
        case Code::fenced:
        case Code::in_use:
        case Code::unreachable:
            return problem(503, 1);
        case Code::io:
        case Code::damaged:
        case Code::too_new:
        case Code::unsafe:
        case Code::constraint:
        case Code::read_only:
            return problem(500);
    }
    return problem(500);
}

Said say_unknown(const Asked& asked) {
    const std::string place = place_to_ask(asked.noun, asked.id_text);
    Problem problem{504, "unknown",
                    "It is not known whether this took effect. Ask at the place in `ask`, or send "
                    "the same request again with the same id.",
                    Effect::unknown, 1};
    problem.members = ",\"ask\":" + json_string(place);
    Said said = said_of(problem, asked);
    said.location = place;
    return said;
}

Said say_waiting(const InLine& in_line, const Asked& asked) {
    return {202, waiting_json(in_line, asked), std::nullopt,
            place_to_ask(asked.noun, asked.id_text)};
}

Said say_in_line(const InLine& in_line, const Asked& asked) {
    return {200, waiting_json(in_line, asked)};
}

Said say(Answered&& answer, const Asked& asked) {
    if (auto* settled = std::get_if<Settlement>(&answer)) {
        if (auto* done = std::get_if<Done>(&settled->outcome)) {
            return say_done(*done, settled->first, asked);
        }
        return say_refused(std::get<Refused>(settled->outcome), asked);
    }
    if (const auto* refusal = std::get_if<NotAdmitted>(&answer)) {
        return say_not_admitted(*refusal, asked);
    }
    if (std::holds_alternative<IdReused>(answer)) {
        return said_of({422, "id_reused",
                        "This id was used before with another type, target, key or data; a new "
                        "request needs a new id."},
                       asked);
    }
    if (std::holds_alternative<IdTooOld>(answer)) {
        return said_of({410, "id_too_old",
                        "This id is older than outcomes are remembered; it is not executed. A new "
                        "request needs a new id."},
                       asked);
    }
    return say_error(std::get<Error>(answer), asked);
}

Said say_recorded(Answered&& answer, const Asked& asked) {
    if (auto* settled = std::get_if<Settlement>(&answer)) {
        if (auto* done = std::get_if<Done>(&settled->outcome)) {
            return {200, done->reply.empty() ? "{}" : std::move(done->reply)};
        }
        Said said = say_refused(std::get<Refused>(settled->outcome), asked);
        said.status = 200;
        said.retry_after_s.reset();
        return said;
    }
    const auto* failure = std::get_if<Error>(&answer);
    if (failure && failure->code == Code::not_found) {
        if (!asked.ready) return said_of(not_ready("the log is being applied"), asked);
        return said_of({404, "no_record",
                        "No record of this id: it was never accepted, or longer ago than outcomes "
                        "are remembered."},
                       asked);
    }
    return say(std::move(answer), asked);
}

Response to_response(Said said) {
    const bool problem = said.json.starts_with(R"({"type":"about:blank")") && said.status >= 400;
    Response response{said.status, problem ? kProblemJson : kJson, std::move(said.json), ""};
    if (!said.location.empty()) {
        const bool elsewhere = said.status == 201 || said.status == 202 || said.status == 504;
        add_field(response.fields, elsewhere ? "Location" : "Content-Location", said.location);
    }
    if (said.retry_after_s) {
        add_field(response.fields, "Retry-After", std::to_string(*said.retry_after_s));
    }
    return response;
}

void append_line(std::string& out, const Said& said) {
    if (said.status >= 400) {
        out += said.json;  // a problem has its status among its members
    } else {
        out += "{\"status\":" + std::to_string(said.status);
        std::string_view members = said.json;
        // A waiting claim's own word for its status gives way to the number.
        static constexpr std::string_view kWaiting = ",\"status\":\"waiting\"";
        const std::size_t word = members.find(kWaiting);
        members.remove_prefix(1);
        if (members != "}") out += ',';
        if (word != std::string_view::npos) {
            out += members.substr(0, word - 1);
            members.remove_prefix(word - 1 + kWaiting.size());
        }
        out += members;
    }
    out += '\n';
}

}  // namespace penstock::http
