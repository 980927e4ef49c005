#include "penstock/store/mariadb/lookup.h"

#include <gtest/gtest.h>

namespace penstock::mariadb {
namespace {

std::string rewritten(std::string_view sql, std::size_t rows) {
    const auto text = StatementText::parse(sql, {});
    EXPECT_TRUE(text) << sql;
    const auto lookup = lookup_of(*text);
    return lookup ? lookup->sql(rows) : "";
}

TEST(MariadbLookup, AsksForManyRowsByTheirKeys) {
    EXPECT_EQ(rewritten("SELECT id, body FROM t WHERE id = :id AND part = 0", 3),
              "SELECT id, body, id FROM t WHERE part = 0 AND id IN (?, ?, ?)");
    EXPECT_EQ(rewritten("select n from s.t where part=1 and a=:x and b = :y for update", 2),
              "SELECT n, a, b FROM s.t WHERE part = 1 AND (a, b) IN ((?, ?), (?, ?)) FOR UPDATE");
}

TEST(MariadbLookup, LeavesEveryOtherFormAlone) {
    for (const char* sql : {"SELECT n FROM t",
                            "SELECT n FROM t WHERE a = 1",
                            "SELECT * FROM t WHERE a = :a",
                            "SELECT DISTINCT n FROM t WHERE a = :a",
                            "SELECT sum(n) FROM t WHERE a = :a",
                            "SELECT n FROM t WHERE a = :a GROUP BY n",
                            "SELECT n FROM t WHERE a = :a ORDER BY n",
                            "SELECT n FROM t WHERE a = :a LIMIT 1",
                            "SELECT n FROM t WHERE a < :a",
                            "SELECT n FROM t WHERE a = :a OR b = :b",
                            "SELECT n FROM t WHERE NOT a = :a",
                            "SELECT n FROM t WHERE a = :a AND b = :a",
                            "SELECT n FROM t WHERE a = :a + 1",
                            "SELECT n FROM t WHERE :a = a",
                            "SELECT n, :b FROM t WHERE a = :a",
                            "SELECT n FROM t, u WHERE a = :a",
                            "SELECT n FROM t x WHERE a = :a",
                            "SELECT n FROM t WHERE a = :a AND b = 'x'",
                            "SELECT n /* b */ FROM t WHERE a = :a",
                            "SELECT n FROM t WHERE a = :a FOR UPDATE SKIP LOCKED",
                            "SELECT n AS m FROM t WHERE a = :a",
                            "SELECT n FROM t WHERE a = :a UNION SELECT n FROM u WHERE a = :b",
                            "DELETE FROM t WHERE a = :a",
                            "UPDATE t SET n = 1 WHERE a = :a"}) {
        EXPECT_EQ(rewritten(sql, 2), "") << sql;
    }
}

}  // namespace
}  // namespace penstock::mariadb
