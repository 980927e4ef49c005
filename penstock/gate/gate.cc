#include "penstock/gate/gate.h"

#include <fmt/format.h>

namespace penstock {

Result<void> check_spec(const ResourceSpec& spec) {
    if (spec.quantity > kMaxUnits) {
        return error(Code::invalid, fmt::format("quantity is at most {}", kMaxUnits));
    }
    if (spec.final_granted && *spec.final_granted < spec.quantity && !spec.closed) {
        return error(Code::invalid, "a resource with free units is final only when it is closed");
    }
    return {};
}

const char* to_string(Admission admission) {
    switch (admission) {
        case Admission::admitted:
            return "admitted";
        case Admission::again:
            return "again";
        case Admission::limit_reached:
            return "limit_reached";
        case Admission::none_free:
            return "none_free";
        case Admission::not_enough:
            return "not_enough";
        case Admission::sold_out:
            return "sold_out";
        case Admission::not_open:
            return "not_open";
        case Admission::closed:
            return "closed";
        case Admission::rebuilding:
            return "rebuilding";
        case Admission::no_resource:
            return "no_resource";
    }
    return "unknown_admission";
}

}  // namespace penstock
