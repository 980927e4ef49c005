#include "penstock/base/uuid.h"

#include <gtest/gtest.h>

#include "penstock/base/env.h"

namespace penstock {
namespace {

TEST(Uuid, ReadsWhatItWrites) {
    const std::string text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";  // RFC 9562, appendix A.6
    const auto uuid = parse_uuid(text);
    ASSERT_TRUE(uuid.has_value());
    EXPECT_EQ(format_uuid(*uuid), text);
    EXPECT_TRUE(is_text_of(*uuid, text));
    EXPECT_FALSE(is_text_of(*uuid, "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"));
    EXPECT_FALSE(is_text_of(*uuid, ""));
    EXPECT_EQ(parse_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), uuid);
    EXPECT_EQ(unix_ms(*uuid_v7_time(*uuid)), 0x017f22e279b0);
}

TEST(Uuid, RefusesWhatIsNotOne) {
    EXPECT_FALSE(parse_uuid(""));
    EXPECT_FALSE(parse_uuid("017f22e279b07cc398c4dc0c0c07398f"));
    EXPECT_FALSE(parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398g"));
    EXPECT_FALSE(parse_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f0"));
    EXPECT_FALSE(parse_uuid("017f22e2079b0-7cc3-98c4-dc0c0c07398f"));
    EXPECT_FALSE(parse_uuid("017f22e2-79b0-7cc3-98c4--c0c0c07398f"));
}

TEST(Uuid, VersionSevenCarriesItsTime) {
    const LogTime now = log_time(1'700'000'000'123);
    const Uuid a = make_uuid_v7(now, system_env().random);
    EXPECT_EQ(uuid_v7_time(a), now);
    EXPECT_NE(a, make_uuid_v7(now, system_env().random));
}

TEST(Uuid, AnOpaqueIdNeverPassesForVersionSeven) {
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(uuid_v7_time(uuid_of_id("order-" + std::to_string(i))));
    }
    EXPECT_EQ(uuid_of_id("a"), uuid_of_id("a"));
    EXPECT_NE(uuid_of_id("a"), uuid_of_id("b"));
}

}  // namespace
}  // namespace penstock
