#include "penstock/edge/cli/wire_format.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

TEST(WireFormat, ReadsWhatItWrites) {
    const std::pair<WireFormat, const char*> cases[] = {{WireFormat::string, "plain"},
                                                        {WireFormat::long_integer, "-2"},
                                                        {WireFormat::json, R"({"a":1})"},
                                                        {WireFormat::hex, "00ff10"}};
    for (const auto& [format, text] : cases) {
        const auto bytes = encode_wire(format, text);
        ASSERT_TRUE(bytes) << bytes.error().text;
        EXPECT_EQ(decode_wire(format, *bytes), text);
    }
}

TEST(WireFormat, ALongIsEightBytesBigEndian) {
    EXPECT_EQ(*encode_wire(WireFormat::long_integer, "258"), std::string("\0\0\0\0\0\0\1\2", 8));
}

TEST(WireFormat, RefusesWhatIsNotOfTheForm) {
    EXPECT_FALSE(encode_wire(WireFormat::long_integer, "1.5"));
    EXPECT_FALSE(encode_wire(WireFormat::long_integer, "9223372036854775808"));
    EXPECT_FALSE(encode_wire(WireFormat::hex, "abc"));
    EXPECT_FALSE(encode_wire(WireFormat::hex, "zz"));
    EXPECT_FALSE(encode_wire(WireFormat::json, "{"));
    EXPECT_FALSE(parse_wire_format("xml"));
}

TEST(WireFormat, ShowsBytesThatAreNoLong) {
    EXPECT_EQ(decode_wire(WireFormat::long_integer, "abc"), "0x616263");
}

}  // namespace
}  // namespace penstock::cli
