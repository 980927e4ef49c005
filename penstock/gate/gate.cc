#include "penstock/gate/gate.h"

namespace penstock {

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
