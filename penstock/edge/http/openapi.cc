#include "penstock/edge/http/api.h"

namespace penstock::http {

std::string_view openapi_json() {
    return "{}";
}

}  // namespace penstock::http
