#include "penstock/base/url.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr UrlForm kForm{"db", "db://user:password@host:port/database", 3306};

TEST(Url, IsTakenApartAndDecoded) {
    const auto full = parse_url("db://ann:p%40ss%2f:@db.example:3307/orders%20a", kForm);
    ASSERT_TRUE(full) << full.error().text;
    EXPECT_EQ(full->user, "ann");
    EXPECT_EQ(full->password, "p@ss/:");
    EXPECT_EQ(full->host, "db.example");
    EXPECT_EQ(full->port, 3307);
    EXPECT_EQ(full->path, "/orders a");
    EXPECT_EQ(full->authority(), "db.example:3307");
    const auto least = parse_url("db://[::1]", kForm);
    ASSERT_TRUE(least) << least.error().text;
    EXPECT_EQ(least->user + least->path, "");
    EXPECT_EQ(least->password, std::nullopt);
    EXPECT_EQ(parse_url("db://ann:@h", kForm)->password, "");
    EXPECT_EQ(least->host, "::1");
    EXPECT_EQ(least->authority(), "[::1]:3306");
}

TEST(Url, RefusesOthersAndRepeatsNothingOfThem) {
    for (const char* text : {"",
                             "secret",
                             "h:1/secret",
                             "db:secret",
                             "db://",
                             "db:///secret",
                             "db://secret@:1",
                             "other://secret@h",
                             "db://:secret@h:0",
                             "db://:secret@h:65536",
                             "db://:secret@h:1x",
                             "db://:secret@h:",
                             "db://:secret@[::1",
                             "db://:secret@[::1]1",
                             "db://:secret%@h",
                             "db://:secret%g1@h",
                             "db://:secret%00@h",
                             "db://:secret#@h",
                             "db://:se cret@h",
                             "db://:secret@h/d?ssl=1",
                             "db://:secret@h/d#f"}) {
        const auto url = parse_url(text, kForm);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().code, Code::invalid);
        EXPECT_EQ(url.error().text.find("secret"), std::string::npos) << url.error().text;
        EXPECT_NE(url.error().text.find(kForm.shown), std::string::npos);
    }
}

TEST(PercentEncoding, GivesAnyBytesBack) {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    EXPECT_EQ(percent_decode(percent_encode(all)), all);
    EXPECT_EQ(percent_encode("a-Z_0.~/"), "a-Z_0.~%2F");
    EXPECT_EQ(percent_decode("a+%2b%2B"), "a+++");
    EXPECT_EQ(percent_decode("a+%2b%2B", Plus::space), "a ++");
    for (const char* bad : {"%", "a%1", "%g1", "%1g", "%%41"}) {
        EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace penstock
