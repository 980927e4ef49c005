#include "penstock/store/mariadb/endpoint.h"

#include <gtest/gtest.h>

namespace penstock::mariadb {
namespace {

TEST(MariadbUrl, IsTakenApart) {
    const auto full = parse_endpoint("mariadb://shop:p%40ss%3Aw%2Frd@db.example:3307/orders");
    ASSERT_TRUE(full) << full.error().text;
    EXPECT_EQ(full->at.user, "shop");
    EXPECT_EQ(full->at.password, "p@ss:w/rd");
    EXPECT_EQ(full->at.host, "db.example");
    EXPECT_EQ(full->at.port, 3307);
    EXPECT_EQ(full->database, "orders");
    EXPECT_EQ(full->place(), "db.example:3307/orders");
    const auto least = parse_endpoint("mariadb://shop@[::1]/orders");
    ASSERT_TRUE(least) << least.error().text;
    EXPECT_EQ(least->at.password, std::nullopt);
    EXPECT_EQ(least->place(), "[::1]:3306/orders");
}

TEST(MariadbUrl, RefusesOthersAndShowsNothingOfThem) {
    for (const char* url : {"",
                            "secret",
                            "mysql://secret@h/d",
                            "mariadb://u:secret@h",
                            "mariadb://u:secret@h/",
                            "mariadb://h:1/secret",
                            "mariadb://:secret@h/d",
                            "mariadb://u:secret@/d",
                            "mariadb://u:secret@h:0/d",
                            "mariadb://u:secret@h:65536/d",
                            "mariadb://u:secret@h:1x/d",
                            "mariadb://u:secret@h:/d",
                            "mariadb://u:secret@[::1/d",
                            "mariadb://u:secret@[::1]1/d",
                            "mariadb://u:secret%@h/d",
                            "mariadb://u:secret%g1@h/d",
                            "mariadb://u:secret%00@h/d",
                            "mariadb://u:secret@h/d/e",
                            "mariadb://u:secret@h/d?ssl=1",
                            "mariadb://u%zz:secret@h/d"}) {
        const auto parsed = parse_endpoint(url);
        ASSERT_FALSE(parsed) << url;
        EXPECT_EQ(parsed.error().code, Code::invalid);
        EXPECT_EQ(parsed.error().text.find("secret"), std::string::npos) << parsed.error().text;
    }
}

}  // namespace
}  // namespace penstock::mariadb
