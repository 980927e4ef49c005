#include "penstock/edge/http/json_in.h"

#include <gtest/gtest.h>

#include "penstock/edge/http/base64.h"
#include "penstock/edge/http/json_text.h"
#include "penstock/edge/http/utf8.h"

namespace penstock::http {
namespace {

std::string complaint(std::string_view text) {
    const auto json = parse_json(text, 64);
    return json ? "" : json.error().text;
}

TEST(ParseJson, IsStrict) {
    EXPECT_EQ(complaint(R"({"a":[1,{"a":2}],"b":{"a":3}})"), "");
    for (const std::string text :
         {"", "{", "{}x", "[1,]", "{'a':1}", "{\"a\":01}", "NaN", "\"\xff\"", "\"\xed\xa0\x80\"",
          "\"\\ud800\"", "// c\n{}", "{\"a\":1,\"a\":1}", "[{\"x\":{\"a\":1,\"a\":2}}]"}) {
        EXPECT_NE(complaint(text), "") << text;
    }
    EXPECT_EQ(complaint(std::string(64, '[') + std::string(64, ']')), "");
    EXPECT_NE(complaint(std::string(65, '[') + std::string(65, ']')), "");
    EXPECT_NE(complaint(std::string(1'000'000, '[')), "");
}

TEST(ParseJson, SurvivesAMillionDoubledMembers) {
    std::string text = "{";
    for (int i = 0; i < 1'000'000; ++i) text += "\"a\":1,";
    text.back() = '}';
    EXPECT_EQ(complaint(text), "a member of the JSON comes twice");
}

TEST(SplitObject, GivesOneTextForOneValue) {
    const auto data = [](std::string_view text, MemberOrder order) {
        const auto members = split_object(text, 64, order);
        return members ? members->front().second : members.error().text;
    };
    const char* text = R"({"d": { "b" : [ 1 , { }, [ ] ] , "a" : "\u0041\n" } } )";
    EXPECT_EQ(data(text, MemberOrder::sorted), R"({"a":"A\n","b":[1,{},[]]})");
    EXPECT_EQ(data(text, MemberOrder::as_given), R"({"b":[1,{},[]],"a":"A\n"})");
    for (const char* number : {"0", "-0", "1.10", "1e2", "12345678901234567890123",
                               "0.10000000000000000000001", "-9223372036854775809"}) {
        EXPECT_EQ(data("{\"d\": " + std::string(number) + "}", MemberOrder::sorted), number);
    }
    for (const char* wrong : {"", "[]", "1", "{\"a\":1}x", "{\"a\":{\"b\":1,\"b\":1}}"}) {
        EXPECT_FALSE(split_object(wrong, 64, MemberOrder::sorted)) << wrong;
    }
}

TEST(Members, AreReadStrictly) {
    const auto read = [](std::string_view text) {
        const auto json = parse_json(text, 64);
        Members members(*json);
        members.need("n");
        members.integer("n", 1, 10);
        members.text("t", 3);
        members.time("at");
        const auto done = members.done();
        return done ? std::string() : done.error().text;
    };
    EXPECT_EQ(read(R"({"n":1,"t":"abc","at":"2026-11-21T00:00:00Z"})"), "");
    EXPECT_EQ(read("[]"), "the body must be a JSON object");
    EXPECT_EQ(read("{}"), "'n' is missing");
    EXPECT_EQ(read(R"({"n":0})"), "'n' must be an integer from 1 to 10");
    EXPECT_EQ(read(R"({"n":1.0})"), "'n' must be an integer from 1 to 10");
    EXPECT_EQ(read(R"({"n":-1})"), "'n' must be an integer from 1 to 10");
    EXPECT_EQ(read(R"({"n":18446744073709551616})"), "'n' must be an integer from 1 to 10");
    EXPECT_NE(read(R"({"n":1,"t":"abcd"})"), "");
    EXPECT_NE(read(R"({"n":1,"at":"now"})"), "");
    EXPECT_EQ(read(R"({"n":1,"x":1})"), "unknown member 'x'");
}

TEST(Base64, RoundTripsAndIsStrict) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
        bytes += static_cast<char>(i * 37);
    }
    for (const char* text : {"a", "ab", "abc", "ab=c", "a===", "====", "YR==", "YWJ=", "Y W="}) {
        EXPECT_FALSE(from_base64(text)) << text;
    }
}

TEST(Utf8, IsChecked) {
    EXPECT_TRUE(is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
    for (const char* text : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                             "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
        EXPECT_FALSE(is_utf8(text));
    }
}

}  // namespace
}  // namespace penstock::http
