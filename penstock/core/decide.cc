#include "penstock/core/decide.h"

namespace penstock {

bool beyond_horizon(const Uuid& id, LogTime now, std::chrono::milliseconds horizon) {
    const auto made_at = uuid_v7_time(id);
    return made_at && *made_at < now - horizon;
}

Step decide(const Command& command, const Hash128& body, const Seen* seen, const Rules& rules) {
    if (seen != nullptr) return seen->body == body ? Step::duplicate : Step::id_reused;
    if (beyond_horizon(command.id, rules.now, rules.dedup_horizon)) return Step::too_old;
    if (command.layout.value() != 0 && command.layout < rules.layout) return Step::stale;
    if (command.admitted_under && *command.admitted_under < rules.gate.generation &&
        command.offset >= rules.gate.end) {
        return Step::stale;
    }
    if (command.deadline && *command.deadline < rules.now) return Step::expired;
    return Step::run;
}

}  // namespace penstock
