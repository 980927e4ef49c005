#include "penstock/base/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "penstock/base/env.h"

namespace penstock {
namespace {

std::string hex(const Hash128& hash) {
    std::string text;
    for (const std::uint8_t byte : hash.bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

// Stored in databases: these never change. `printf … | xxh128sum` says the same.
TEST(Hash128, IsXxh3InItsCanonicalForm) {
    EXPECT_EQ(hex(hash128({})), "99aa06d3014798d86001c324468d497f");
    EXPECT_EQ(hex(hash128(as_bytes("a"))), "a96faf705af16834e6c632b61e964e1f");
    EXPECT_EQ(hex(hash128(as_bytes(std::string(1000, 'x')))), "50a1af5a5f2dcf01c0a4877b962cba82");
}

TEST(HashFields, IsTheHashOfEachLengthAndField) {
    const std::string plain("\x03\0\0\0\0\0\0\0abc\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0d", 28);
    EXPECT_EQ(hash_fields({as_bytes("abc"), {}, as_bytes("d")}), hash128(as_bytes(plain)));
}

TEST(HashFields, TellsListsOfFieldsApart) {
    EXPECT_NE(hash_fields({as_bytes("ab"), as_bytes("c")}),
              hash_fields({as_bytes("a"), as_bytes("bc")}));
    EXPECT_NE(hash_fields({as_bytes("a")}), hash_fields({as_bytes("a"), {}}));
    EXPECT_NE(hash_fields({}), hash_fields({Bytes{}}));
}

TEST(HashFields, TakesFieldsOfEverySize) {
    for (const std::size_t size : {1015U, 1016U, 1017U, 100'000U}) {  // around the small buffer
        const std::string field(size, 'x');
        std::string plain(8, '\0');
        for (int i = 0; i < 8; ++i) plain[i] = static_cast<char>(size >> (8 * i));
        EXPECT_EQ(hash_fields({as_bytes(field)}), hash128(as_bytes(plain + field))) << size;
    }
}

TEST(KeyedHash, IsStableInOneObjectAndDiffersInAnother) {
    const KeyedHash one(system_env().random);
    const KeyedHash two(system_env().random);
    for (const std::size_t size : {0U, 1U, 8U, 16U, 17U, 128U, 129U, 240U, 256U, 1000U}) {
        const std::string text(size, 'x');
        EXPECT_EQ(one(as_bytes(text)), one(as_bytes(text))) << size;
        EXPECT_NE(one(as_bytes(text)), two(as_bytes(text))) << size;
        EXPECT_NE(one(as_bytes(text)), one(as_bytes(text + "x"))) << size;
    }
}

}  // namespace
}  // namespace penstock
