#include "penstock/log/partitioner.h"

#include <gtest/gtest.h>

#include <map>

namespace penstock {
namespace {

// From Apache Kafka's own test: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java,
// testMurmur2.
TEST(Murmur2, EqualsKafkasTestVectors) {
    const std::map<std::string, std::int32_t> expected = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (const auto& [text, hash] : expected) {
        EXPECT_EQ(static_cast<std::int32_t>(murmur2(as_bytes(text))), hash) << text;
    }
}

TEST(PartitionOfKey, TakesThePositivePartOfTheHash) {
    // Utils.toPositive(-973932308) % 7, as DefaultPartitioner computes it.
    EXPECT_EQ(partition_of_key(as_bytes("21"), 7).value(), (-973932308 & 0x7fffffff) % 7);
    EXPECT_EQ(partition_of_key(as_bytes("abc"), 5).value(), 479470107 % 5);
    EXPECT_EQ(partition_of_key(as_bytes("anything"), 1).value(), 0u);
}

TEST(KeylessPartitioner, StaysOnOnePartitionUntilTheBatchIsFull) {
    KeylessPartitioner partitioner(Spread::batches, 1);
    const std::size_t half = KeylessPartitioner::kStickyBytes / 2;
    EXPECT_EQ(partitioner.choose(half, 3).value(), 1u);
    EXPECT_EQ(partitioner.choose(half, 3).value(), 1u);
    EXPECT_EQ(partitioner.choose(half, 3).value(), 2u);
}

TEST(KeylessPartitioner, GoesRoundOneByOne) {
    KeylessPartitioner partitioner(Spread::one_by_one, 2);
    std::vector<std::uint32_t> chosen;
    for (int i = 0; i < 4; ++i) chosen.push_back(partitioner.choose(10, 3).value());
    EXPECT_EQ(chosen, (std::vector<std::uint32_t>{2, 0, 1, 2}));
}

}  // namespace
}  // namespace penstock
