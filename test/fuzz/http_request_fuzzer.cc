// FZ3: the request parser and the router. The same result however the bytes are cut, bounded
// memory, and no request that has both a length and a transfer coding.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/url.h"
#include "penstock/edge/http/parser.h"
#include "penstock/edge/http/router.h"
#include "penstock/edge/http/target.h"

namespace {

using namespace penstock::http;
using Step = RequestParser::Step;

void require(bool holds) {
    if (!holds) std::abort();
}

const Router& router() {
    static const Router* const made = [] {
        auto* router = new Router;
        for (const char* path : {"/", "/v1/campaigns/{id}", "/v1/campaigns/{id}:close",
                                 "/v1/campaigns/{id}/claims:batch", "/v1/topics/{topic}/records"}) {
            router->add({Method::post, path, 1000, {}});
        }
        return router;
    }();
    return *made;
}

/// Everything that a parser says of `bytes`, cut into pieces of `piece`.
std::string transcript(std::string_view bytes, std::size_t piece) {
    HttpLimits limits;
    limits.header_bytes = 512;
    limits.body_bytes = 300;
    limits.fields = 12;
    const auto parser = make_beast_parser(limits);
    std::string said, input;
    bool in_body = false;
    while (!bytes.empty()) {
        input += bytes.substr(0, piece);
        bytes.remove_prefix(std::min(piece, bytes.size()));
        while (!input.empty() || in_body) {
            std::size_t used = 0;
            const Step step = parser->feed(input, used);
            require(used <= input.size());
            if (step == Step::header) {
                const Request& request = parser->request();
                require(request.count("Content-Length") + request.count("Transfer-Encoding") <= 1);
                require(request.fields.size() <= limits.fields);
                const auto match = router().find(request.method, request.path);
                said += match.route ? match.route->path : match.allow;
                for (const auto& parameter : match.parameters) said += '<' + parameter + '>';
                if (const auto query = Query::parse(request.query)) {
                    said += query->get("a").value_or("");
                }
            }
            if (step == Step::complete) {
                const Request& request = parser->request();
                require(request.body.size() <= limits.body_bytes);
                said += std::string(request.method_text) + ' ' + std::string(request.target);
                for (const Field& field : request.fields) {
                    said += '|' + std::string(field.name) + '=' + std::string(field.value);
                }
                said += '#' + std::string(request.body) + '\n';
            }
            input.erase(0, used);
            require(parser->held_bytes() <= 64 * 1024);
            if (step == Step::need_more) break;
            if (step == Step::failed) return said + "failed";
            in_body = step == Step::header;
            if (step == Step::complete) parser->reset();
        }
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string whole = transcript(bytes, size == 0 ? 1 : size);
    for (const std::size_t piece : {1, 2, 3, 7, 64}) require(transcript(bytes, piece) == whole);
    const HostList hosts({"shop.example"});
    if (hosts.allows(bytes)) require(bytes.find('@') == std::string_view::npos);
    if (const auto decoded = penstock::percent_decode(bytes)) {
        require(penstock::percent_decode(penstock::percent_encode(*decoded)) == *decoded);
    }
    return 0;
}
