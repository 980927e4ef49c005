#include "penstock/store/postgres/binary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "penstock/store/postgres/connection.h"

namespace penstock::postgres {
namespace {

std::string hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += kDigits[static_cast<unsigned char>(c) >> 4];
        text += kDigits[c & 15];
    }
    return text;
}

std::string encoded(Oid type, const Value& value) {
    Parameters parameters;
    const auto added = parameters.add(type, value);
    EXPECT_TRUE(added) << added.error().text;
    const char* const* values = parameters.values();
    EXPECT_EQ(parameters.formats()[0], 1);
    return hex({values[0], static_cast<std::size_t>(parameters.lengths()[0])});
}

bool fits(Oid type, const Value& value) {
    return Parameters().add(type, value).ok();
}

/// A result of one row as the server would send it.
Table decoded(Oid type, std::string bytes) {
    const Answer answer(PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK));
    char name[] = "c";
    PGresAttDesc column{name, 0, 0, 1, type, -1, -1};
    PQsetResultAttrs(answer.get(), 1, &column);
    PQsetvalue(answer.get(), 0, 0, bytes.data(), static_cast<int>(bytes.size()));
    Table table;
    name_columns(answer.get(), table);
    add_rows(answer.get(), table);
    return table;
}

std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values) text += static_cast<char>(value);
    return text;
}

TEST(PostgresBinary, WritesNetworkOrder) {
    EXPECT_EQ(encoded(oid::kInt8, std::int64_t{-2}), "fffffffffffffffe");
    EXPECT_EQ(encoded(oid::kInt4, std::int64_t{258}), "00000102");
    EXPECT_EQ(encoded(oid::kInt2, std::int64_t{-1}), "ffff");
    EXPECT_EQ(encoded(oid::kBool, std::int64_t{1}), "01");
    EXPECT_EQ(encoded(oid::kFloat8, 1.0), "3ff0000000000000");
    EXPECT_EQ(encoded(oid::kFloat8, std::int64_t{1}), "3ff0000000000000");
    EXPECT_EQ(encoded(oid::kFloat4, 1.0), "3f800000");
    EXPECT_EQ(encoded(oid::kInt8, 7.0), "0000000000000007");
    EXPECT_EQ(encoded(oid::kText, std::string_view("ab")), "6162");
    EXPECT_EQ(encoded(oid::kJsonb, std::string_view("1")), "0131");
    EXPECT_EQ(encoded(oid::kBytea, as_bytes("a")), "61");
    EXPECT_EQ(encoded(oid::kUuid, std::string_view("00112233-4455-6677-8899-aabbccddeeff")),
              "00112233445566778899aabbccddeeff");
}

TEST(PostgresBinary, RefusesWhatWouldChangeTheValue) {
    EXPECT_FALSE(fits(oid::kInt4, std::int64_t{1} << 31));
    EXPECT_FALSE(fits(oid::kInt2, std::int64_t{-32769}));
    EXPECT_FALSE(fits(oid::kBool, std::int64_t{2}));
    EXPECT_FALSE(fits(oid::kInt8, 0.5));
    EXPECT_FALSE(fits(oid::kInt8, 1e300));
    EXPECT_FALSE(fits(oid::kInt4, 4e9));
    EXPECT_FALSE(fits(oid::kFloat8, (std::int64_t{1} << 53) + 1));
    EXPECT_FALSE(fits(oid::kFloat8, std::numeric_limits<std::int64_t>::min()));
    EXPECT_FALSE(fits(oid::kText, std::string_view("a\0b", 3)));
    EXPECT_FALSE(fits(oid::kText, as_bytes("a")));
    EXPECT_FALSE(fits(oid::kText, std::int64_t{1}));
    EXPECT_FALSE(fits(oid::kUuid, as_bytes("a")));
}

TEST(PostgresBinary, LaysAnArrayOut) {
    const Value rows[] = {std::int64_t{1}, std::string_view("x"), std::monostate{},
                          std::string_view("yz")};
    Parameters parameters;
    ASSERT_TRUE(parameters.add_array(oid::kInt2, rows, 2, 0));
    ASSERT_TRUE(parameters.add_array(oid::kText, rows, 2, 1));
    ASSERT_EQ(parameters.count(), 2);
    const char* const* values = parameters.values();
    const int* lengths = parameters.lengths();
    EXPECT_EQ(hex({values[0], static_cast<std::size_t>(lengths[0])}),
              "00000001"
              "00000001"
              "00000015"
              "00000002"
              "00000001"
              "00000002"
              "0001"
              "ffffffff");
    EXPECT_EQ(hex({values[1], static_cast<std::size_t>(lengths[1])}),
              "00000001"
              "00000000"
              "00000019"
              "00000002"
              "00000001"
              "00000001"
              "78"
              "00000002"
              "797a");
}

TEST(PostgresBinary, ReadsWhatTheServerSends) {
    EXPECT_EQ(decoded(oid::kInt8, bytes({255, 255, 255, 255, 255, 255, 255, 254})).integer(0, 0),
              -2);
    EXPECT_EQ(decoded(oid::kInt4, bytes({255, 255, 255, 255})).integer(0, 0), -1);
    EXPECT_EQ(decoded(oid::kInt2, bytes({128, 0})).integer(0, 0), -32768);
    EXPECT_EQ(decoded(oid::kBool, bytes({1})).integer(0, 0), 1);
    EXPECT_EQ(decoded(oid::kFloat4, bytes({0x3f, 0x80, 0, 0})).real(0, 0), 1.0);
    EXPECT_EQ(decoded(oid::kText, "ab").text(0, 0), "ab");
    EXPECT_EQ(as_text(decoded(oid::kBytea, "ab").blob(0, 0)), "ab");
    EXPECT_EQ(decoded(oid::kJsonb, "\x01{}").text(0, 0), "{}");
}

// Digits of 10,000, weight of the first, sign, digits after the point.
TEST(PostgresBinary, ReadsANumericAsAnIntegerWhereItIsOne) {
    const auto numeric = [](std::initializer_list<int> words) {
        std::string raw;
        for (const int word : words) raw += bytes({word >> 8 & 255, word & 255});
        return decoded(oid::kNumeric, raw);
    };
    EXPECT_EQ(numeric({0, 0, 0, 0}).integer(0, 0), 0);
    EXPECT_EQ(numeric({2, 1, 0x4000, 0, 12, 3456}).integer(0, 0), -123456);
    EXPECT_EQ(numeric({1, 2, 0, 0, 7}).integer(0, 0), 700'000'000);
    EXPECT_EQ(numeric({5, 4, 0, 0, 922, 3372, 368, 5477, 5807}).integer(0, 0),
              std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(numeric({5, 4, 0, 0, 922, 3372, 368, 5477, 5808}).real(0, 0), 9223372036854775808.0);
    EXPECT_EQ(numeric({2, 0, 0, 2, 1, 2500}).real(0, 0), 1.25);
    EXPECT_EQ(numeric({1, -1, 0x4000, 1, 5000}).real(0, 0), -0.5);
    EXPECT_TRUE(std::isnan(numeric({0, 0, 0xC000, 0}).real(0, 0)));
}

}  // namespace
}  // namespace penstock::postgres
