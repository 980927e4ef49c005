#include "penstock/edge/http/router.h"

#include <gtest/gtest.h>

#include "penstock/edge/http/target.h"

namespace penstock::http {
namespace {

Router make_router() {
    Router router;
    for (const auto& [method, path] : std::initializer_list<std::pair<Method, const char*>>{
             {Method::get, "/"},
             {Method::get, "/v1/campaigns"},
             {Method::put, "/v1/campaigns/{id}"},
             {Method::get, "/v1/campaigns/{id}"},
             {Method::post, "/v1/campaigns/{id}:close"},
             {Method::post, "/v1/campaigns/{id}/claims"},
             {Method::post, "/v1/campaigns/{id}/claims:batch"},
             {Method::get, "/v1/claims/{id}"}}) {
        router.add({method, path, 0, {}});
    }
    return router;
}

TEST(Router, FindsRoutesByMethodAndPath) {
    const Router router = make_router();
    const auto found = [&](Method method, const char* path) {
        const auto match = router.find(method, path);
        return match.route ? match.route->path : "";
    };
    EXPECT_EQ(found(Method::get, "/"), "/");
    EXPECT_EQ(found(Method::get, "/v1/campaigns"), "/v1/campaigns");
    EXPECT_EQ(found(Method::head, "/v1/campaigns"), "/v1/campaigns");
    EXPECT_EQ(found(Method::put, "/v1/campaigns/x"), "/v1/campaigns/{id}");
    EXPECT_EQ(found(Method::post, "/v1/campaigns/x:close"), "/v1/campaigns/{id}:close");
    EXPECT_EQ(found(Method::post, "/v1/campaigns/x/claims"), "/v1/campaigns/{id}/claims");
    EXPECT_EQ(found(Method::post, "/v1/campaigns/x/claims:batch"),
              "/v1/campaigns/{id}/claims:batch");
    for (const char* path : {"", "v1", "/v1/campaigns/", "/v1/campaigns//claims", "/v1//campaigns",
                             "/v1/campaigns/x/claims/y", "/1/2/3/4/5/6/7/8/9/10", "/v1/claims/"}) {
        EXPECT_EQ(found(Method::get, path), "") << path;
        EXPECT_EQ(router.find(Method::get, path).allow, "") << path;
    }
}

TEST(Router, DecodesParameters) {
    const Router router = make_router();
    EXPECT_EQ(router.find(Method::get, "/v1/claims/a%2Fb%20c+d").parameters,
              PathParameters{"a/b c+d"});
    EXPECT_EQ(router.find(Method::get, "/v1/claims/a:close").parameters, PathParameters{"a:close"});
    EXPECT_TRUE(router.find(Method::get, "/v1/claims/%2").bad_escape);
    EXPECT_TRUE(router.find(Method::get, "/v1/claims/%zz").bad_escape);
    // An encoded colon belongs to the id, a plain one to the verb.
    EXPECT_EQ(router.find(Method::put, "/v1/campaigns/x%3Aclose").parameters,
              PathParameters{"x:close"});
    EXPECT_EQ(router.find(Method::put, "/v1/campaigns/x:close").route, nullptr);
    EXPECT_EQ(router.find(Method::put, "/v1/campaigns/:close").parameters,
              PathParameters{":close"});
}

TEST(Router, TellsWhatAPathAllows) {
    const Router router = make_router();
    EXPECT_EQ(router.find(Method::del, "/v1/campaigns/x").allow, "PUT, GET, HEAD");
    EXPECT_EQ(router.find(Method::get, "/v1/campaigns/x:close").allow, "POST");
    EXPECT_EQ(router.find(Method::other, "/v1/claims/x").allow, "GET, HEAD");
}

TEST(Query, IsReadStrictly) {
    const auto query = Query::parse("a=1&b=x+y%26&&c");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->get("a"), "1");
    EXPECT_EQ(query->get("b"), "x y&");
    EXPECT_EQ(query->get("c"), "");
    EXPECT_EQ(query->get("d"), std::nullopt);
    EXPECT_EQ(query->stranger({"a", "b"}), "c");
    EXPECT_FALSE(Query::parse("a=1&a=2"));
    EXPECT_FALSE(Query::parse("a=%x"));
    std::string many;
    for (int i = 0; i < 40; ++i) many += "m" + std::to_string(i) + "=1&";
    EXPECT_FALSE(Query::parse(many));
}

}  // namespace
}  // namespace penstock::http
