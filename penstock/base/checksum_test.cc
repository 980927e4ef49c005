#include "penstock/base/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace penstock {
namespace {

std::uint32_t crc_of(const std::array<unsigned char, 32>& bytes) {
    return crc32c(std::as_bytes(std::span(bytes)));
}

TEST(Crc32c, AgreesWithTheVectorsOfRfc3720) {  // appendix B.4
    std::array<unsigned char, 32> bytes{};
    EXPECT_EQ(crc_of(bytes), 0x8a9136aaU);
    bytes.fill(0xff);
    EXPECT_EQ(crc_of(bytes), 0x62a8ab43U);
    std::iota(bytes.begin(), bytes.end(), 0);
    EXPECT_EQ(crc_of(bytes), 0x46dd794eU);
    std::reverse(bytes.begin(), bytes.end());
    EXPECT_EQ(crc_of(bytes), 0x113fdb5cU);
    const unsigned char read_command[48] = {
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
        0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    EXPECT_EQ(crc32c(std::as_bytes(std::span(read_command))), 0xd9963a56U);
}

TEST(Crc32c, ContinuesAtEveryCut) {
    const std::string_view text = "123456789";
    EXPECT_EQ(crc32c(as_bytes(text)), 0xe3069283U);  // the check value of CRC catalogues
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const std::uint32_t first = crc32c(as_bytes(text.substr(0, cut)));
        EXPECT_EQ(crc32c(as_bytes(text.substr(cut)), first), 0xe3069283U) << cut;
    }
    EXPECT_EQ(crc32c({}), 0U);
}

}  // namespace
}  // namespace penstock
