#include "penstock/edge/cli/exit_code.h"

namespace penstock::cli {

int exit_code(const Error& error) {
    switch (error.code) {
        case Code::invalid:
            return kExitUsage;
        case Code::damaged:
        case Code::not_found:
        case Code::out_of_range:
            return kExitData;
        case Code::unreachable:
        case Code::not_ready:
        case Code::overloaded:
        case Code::stopped:
            return kExitUnavailable;
        case Code::io:
        case Code::no_space:
        case Code::read_only:
            return kExitIo;
        case Code::in_use:
        case Code::fenced:
            return kExitInUse;
        case Code::unsafe:
        case Code::too_new:
        case Code::constraint:
        case Code::exists:
        case Code::conflict:
        case Code::too_large:
            return kExitConfig;
    }
    return kExitIo;
}

}  // namespace penstock::cli
