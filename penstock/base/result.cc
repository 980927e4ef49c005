#include "penstock/base/result.h"

namespace penstock {

const char* to_string(Code code) {
    switch (code) {
        case Code::invalid:
            return "invalid";
        case Code::not_found:
            return "not_found";
        case Code::exists:
            return "exists";
        case Code::out_of_range:
            return "out_of_range";
        case Code::overloaded:
            return "overloaded";
        case Code::not_ready:
            return "not_ready";
        case Code::stopped:
            return "stopped";
        case Code::no_space:
            return "no_space";
        case Code::io:
            return "io";
        case Code::damaged:
            return "damaged";
        case Code::in_use:
            return "in_use";
        case Code::too_new:
            return "too_new";
        case Code::unsafe:
            return "unsafe";
        case Code::conflict:
            return "conflict";
        case Code::constraint:
            return "constraint";
        case Code::fenced:
            return "fenced";
        case Code::too_large:
            return "too_large";
        case Code::read_only:
            return "read_only";
        case Code::unreachable:
            return "unreachable";
    }
    return "unknown_code";
}

}  // namespace penstock
