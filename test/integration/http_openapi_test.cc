#include <boost/json/parse.hpp>
#include <set>

#include "penstock/edge/http/api.h"
#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

namespace json = boost::json;

/// Routes are only collected: nothing is asked of it.
class NoLoop final : public http::Loop {
public:
    std::shared_ptr<http::Inbox> inbox() override { return nullptr; }
    MonoTime now() const override { return {}; }
    bool stopping() const override { return false; }
    void submit(std::shared_ptr<http::Caller>, std::span<const Submission>) override {}
    void look_up(std::shared_ptr<http::Caller>, const Uuid&) override {}
    void poll(std::function<bool()>) override {}
    bool block(std::function<void()>) override { return false; }
};

class OpenApi : public HttpNode {};

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(c));
    return text;
}

/// Every `$ref` of the document leads somewhere.
void expect_references(const json::value& part, const json::value& whole) {
    if (const auto* object = part.if_object()) {
        for (const auto& member : *object) {
            if (member.key() == "$ref") {
                const std::string pointer(member.value().as_string().c_str() + 1);
                boost::system::error_code ec;
                whole.find_pointer(pointer, ec);
                EXPECT_FALSE(ec) << pointer;
            }
            expect_references(member.value(), whole);
        }
    } else if (const auto* array = part.if_array()) {
        for (const auto& element : *array) expect_references(element, whole);
    }
}

TEST_F(OpenApi, DescribesEveryRouteAndNoOther) {
    start_node();
    NoLoop loop;
    const http::HttpLimits limits;
    http::Router router;
    const auto api = http::make_api({env_, *node_, *log_, *gate_, metrics_, loop, limits, "0.1.0"});
    api->add_routes(router);
    std::set<std::string> routes;
    for (const auto& route : router.routes()) {
        routes.insert(lower(http::to_string(route->method)) + " " + route->path);
    }
    const json::value document =
        json::parse(json::string_view(http::openapi_json().data(), http::openapi_json().size()));
    std::set<std::string> described;
    for (const auto& path : document.at("paths").as_object()) {
        for (const auto& method : path.value().as_object()) {
            described.insert(std::string(method.key()) + " " + std::string(path.key()));
            EXPECT_FALSE(method.value().at("responses").as_object().empty());
        }
    }
    EXPECT_EQ(routes, described);
    EXPECT_EQ(document.at("openapi").as_string(), "3.1.0");
    expect_references(document, document);
}

TEST_F(OpenApi, IsServed) {
    start_http();
    const HttpAnswer answer = ask("GET /openapi.json");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, http::openapi_json());
}

}  // namespace
}  // namespace penstock::test
