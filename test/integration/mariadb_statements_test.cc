// What one statement does for one row or for many, beside what it does row by row.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test/integration/mariadb_kit.h"

namespace penstock::test {
namespace {

std::vector<Migration> tables(const Dialect& dialect) {
    return {
        {"statements",
         1,
         {fmt::format("CREATE TABLE thing (a {0} NOT NULL, b {0} NOT NULL, n BIGINT NOT NULL, "
                      "t {1}, PRIMARY KEY (a, b))",
                      dialect.type("key"), dialect.type("text")),
          "CREATE TABLE loose (name VARCHAR(20) CHARACTER SET utf8mb4 COLLATE "
          "utf8mb4_general_ci NOT NULL, padded VARCHAR(20) CHARACTER SET utf8mb4 COLLATE "
          "utf8mb4_bin NOT NULL, n INTEGER NOT NULL)",
          "CREATE TABLE number (id BIGINT AUTO_INCREMENT PRIMARY KEY, u BIGINT UNSIGNED, d "
          "DECIMAL(10, 2), f FLOAT, y TINYINT, at DATETIME(3), bits BIT(12), blobs LONGBLOB)"}}};
}

class MariadbStatements : public ::testing::Test {
protected:
    void SetUp() override {
        MariadbOptions options;
        options.url = server_.url(server_.new_database());
        store_ = open_store(options);
        const auto made = store_->prepare_schema(tables(store_->dialect()));
        ASSERT_TRUE(made) << made.error().text;
        session_ = open_session(*store_);
        ASSERT_TRUE(session_->begin());
    }
    Rows run(const std::string& sql, const std::vector<Value>& values = {}) {
        return run_sql(*session_, sql, values);
    }
    Rows many(const std::string& sql, const std::vector<Value>& rows) {
        return run_sql_many(*session_, sql, rows);
    }
    /// Requests that the server has had from this session, this one not counted.
    std::int64_t trips() {
        const Rows rows = run(
            "SELECT VARIABLE_VALUE FROM information_schema.session_status WHERE VARIABLE_NAME IN "
            "('COM_STMT_EXECUTE', 'COM_STMT_BULK_EXECUTE')");
        std::int64_t sum = -1;
        for (std::size_t i = 0; i < rows.table.rows(); ++i) {
            sum += std::stoll(std::string(rows.table.text(i, 0)));
        }
        return sum;
    }

    static std::string dump(const Table& table) {
        std::string all;
        for (std::size_t row = 0; row < table.rows(); ++row) {
            for (std::size_t i = 0; i < table.columns(); ++i) {
                all += table.is_null(row, i)
                           ? "null"
                           : fmt::format("{}/{}", table.integer(row, i), table.text(row, i));
                all += i + 1 == table.columns() ? "\n" : ", ";
            }
        }
        return all;
    }
    /// The answer for all rows, which must be that of each row alone, one after the other.
    std::string looked_up(const std::string& sql, const std::vector<Value>& rows,
                          std::size_t width) {
        const Rows all = many(sql, rows);
        std::string alone;
        for (std::size_t i = 0; i < rows.size(); i += width) {
            const auto at = rows.begin() + static_cast<std::ptrdiff_t>(i);
            alone += dump(
                run(sql, std::vector<Value>(at, at + static_cast<std::ptrdiff_t>(width))).table);
        }
        EXPECT_EQ(dump(all.table), alone) << sql;
        EXPECT_EQ(all.matched, all.table.rows());
        return alone;
    }

    MariadbServer& server_ = MariadbServer::shared();
    std::unique_ptr<MariadbStore> store_;
    std::unique_ptr<Session> session_;
};

using std::string_view_literals::operator""sv;
constexpr std::int64_t operator""_i(unsigned long long value) {
    return static_cast<std::int64_t>(value);
}

const std::string kThing = "INSERT INTO thing (a, b, n, t) VALUES (:a, :b, :n, :t)";

TEST_F(MariadbStatements, ManyRowsOfAnInsertAreOneTrip) {
    std::vector<std::string> names;
    for (int i = 0; i < 3000; ++i) names.push_back(fmt::format("name-{}", i));
    std::vector<Value> rows;
    for (int i = 0; i < 3000; ++i) {
        rows.insert(rows.end(), {"a"sv, std::string_view(names[i]), std::int64_t{i},
                                 i % 3 == 0 ? Value(std::monostate{}) : Value("text"sv)});
    }
    const std::int64_t before = trips();
    EXPECT_EQ(many(kThing, rows).matched, 3000u);
    EXPECT_EQ(trips() - before, 2);  // the insert, and the question itself
    EXPECT_EQ(run("SELECT count(*) FROM thing WHERE t IS NULL").table.integer(0, 0), 1000);
    EXPECT_EQ(run("SELECT sum(n) FROM thing").table.integer(0, 0), 2999 * 3000 / 2);
}

TEST_F(MariadbStatements, ColumnsMayChangeTheirTypeFromRowToRow) {
    const std::vector<Value> rows = {"a"sv,         "1"sv, 1_i,   std::monostate{},
                                     as_bytes("b"), "2"sv, "2"sv, "x"sv,
                                     "c"sv,         3_i,   3.0,   4_i};
    EXPECT_EQ(many(kThing, rows).matched, 3u);
    EXPECT_EQ(dump(run("SELECT a, b, n, t FROM thing ORDER BY a").table),
              "0/a, 0/1, 1/, null\n0/b, 0/2, 2/, 0/x\n0/c, 0/3, 3/, 0/4\n");
}

TEST_F(MariadbStatements, LargeRowsGoInPiecesAndTooLargeOnesAreRefusedAlone) {
    const std::string large(3 * 1024 * 1024, 'x');
    const std::string huge(17 * 1024 * 1024, 'x');  // over max_allowed_packet
    const auto rows = [](std::string_view a, std::string_view text) {
        std::vector<Value> all;
        for (const std::string_view b : {"1", "2", "3", "4"}) {
            all.insert(all.end(), {a, b, 1_i, text});
        }
        return all;
    };
    EXPECT_EQ(many(kThing, rows("a", large)).matched, 4u);
    std::vector<Value> one_huge = rows("b", large);
    one_huge[7] = std::string_view(huge);
    const Error failure = sql_error(*session_, kThing, one_huge);
    EXPECT_EQ(failure.code, Code::too_large) << failure.text;
    EXPECT_EQ(failure.lost, Lost::statement);
    EXPECT_EQ(run("SELECT max(length(t)) FROM thing").table.integer(0, 0), 3 * 1024 * 1024);
    EXPECT_EQ(run("SELECT t FROM thing WHERE a = 'a' AND b = '3'").table.text(0, 0), large);
}

TEST_F(MariadbStatements, UpsertsAndReplacesCountRowsNotWrites) {
    const std::string upsert = kThing + " ON DUPLICATE KEY UPDATE n = VALUES(n)";
    const std::vector<Value> rows = {"a"sv, "1"sv, 1_i, "t"sv, "a"sv, "2"sv, 2_i, "t"sv};
    EXPECT_EQ(many(upsert, rows).matched, 2u);
    EXPECT_EQ(many(upsert, {"a"sv, "1"sv, 5_i, "t"sv, "a"sv, "3"sv, 2_i, "t"sv}).matched, 2u);
    EXPECT_EQ(run(upsert, {"a"sv, "1"sv, 6_i, "t"sv}).matched, 1u);
    EXPECT_EQ(run(upsert, {"a"sv, "1"sv, 6_i, "t"sv}).matched, 1u);
    const std::string replace = "REPLACE INTO thing (a, b, n) VALUES (:a, :b, :n)";
    EXPECT_EQ(run(replace, {"a"sv, "1"sv, 7_i}).matched, 1u);
    EXPECT_EQ(many(replace, {"a"sv, "1"sv, 8_i, "a"sv, "9"sv, 8_i}).matched, 2u);
    EXPECT_EQ(run("SELECT n FROM thing WHERE b = '1'").table.integer(0, 0), 8);
}

TEST_F(MariadbStatements, InsertOrNothingOfOneKnownRowCountsToo) {
    const std::string fixed =
        "INSERT INTO thing (a, b, n) VALUES ('a', 'b', 1) on duplicate key\n update a=a";
    EXPECT_EQ(run(fixed).matched, 1u);
    EXPECT_EQ(run(fixed).matched, 0u);
    const std::string sql = store_->dialect().insert_or_nothing("thing", "a, b, n", "a, b");
    EXPECT_EQ(many(sql, {"a"sv, "b"sv, 1_i, "a"sv, "c"sv, 1_i}).matched, 1u);
    EXPECT_EQ(run(sql, {"a"sv, "c"sv, 2_i}).matched, 0u);
    EXPECT_EQ(run(sql, {"a"sv, "d"sv, 2_i}).matched, 1u);
    EXPECT_EQ(run("SELECT count(*) FROM thing").table.integer(0, 0), 3);
}

TEST_F(MariadbStatements, AnInsertOrNothingStillFailsForOtherReasons) {
    const std::string sql = store_->dialect().insert_or_nothing("thing", "a, b, n", "a, b");
    for (const Value& n : {Value(std::monostate{}), Value("not a number"sv)}) {
        const Error failure = sql_error(*session_, sql, {"a"sv, "b"sv, n});
        EXPECT_EQ(failure.code, Code::constraint) << failure.text;
        EXPECT_EQ(failure.lost, Lost::statement);
    }
    EXPECT_EQ(run("SELECT count(*) FROM thing").table.integer(0, 0), 0);
}

TEST_F(MariadbStatements, KeysCompareByteForByte) {
    const std::vector<Value> rows = {"a"sv, "x"sv, 1_i, "1"sv, "a"sv, "x "sv,  2_i, "2"sv,
                                     "a"sv, "X"sv, 3_i, "3"sv, "a"sv, "x\0"sv, 4_i, "4"sv};
    EXPECT_EQ(many(kThing, rows).matched, 4u);
    EXPECT_EQ(run("SELECT n FROM thing WHERE a = 'a' AND b = :b", {"x "sv}).table.integer(0, 0), 2);
    EXPECT_EQ(run("SELECT count(*) FROM thing WHERE t = :t", {"1 "sv}).table.integer(0, 0), 0);
}

TEST_F(MariadbStatements, ALookUpOfManyIsOneTripAndAnswersInTheOrderOfTheRows) {
    std::vector<Value> rows;
    std::vector<std::string> names;
    for (int i = 0; i < 700; ++i) names.push_back(std::to_string(i));
    for (int i = 0; i < 700; i += 2) {
        rows.insert(rows.end(), {"a"sv, std::string_view(names[i]), std::int64_t{i}, "t"sv});
    }
    many(kThing, rows);
    std::vector<Value> keys;
    for (int i = 699; i >= 0; --i) keys.push_back(std::string_view(names[i]));
    keys.push_back(std::string_view(names[4]));
    keys.push_back(std::string_view(names[4]));
    const std::string sql = "SELECT n, b FROM thing WHERE a = 'a' AND b = :b";
    const std::string plain = "SELECT n, b FROM thing WHERE b = :b FOR UPDATE";
    EXPECT_NE(looked_up(plain, keys, 1), "");
    looked_up(sql, keys, 1);  // a quote in it: row by row
    many(plain, keys);        // all is prepared
    const std::int64_t before = trips();
    EXPECT_EQ(many(plain, keys).table.rows(), 352u);
    EXPECT_EQ(trips() - before, 3);  // 512 rows, the rest, and the question itself
}

TEST_F(MariadbStatements, LookUpsAnswerAsRowByRow) {
    many(kThing, {"a"sv, "1"sv, 1_i, "x"sv, "a"sv, "2"sv, 2_i, "x"sv, "b"sv, "1"sv, 3_i, "y"sv});
    const std::string two = "SELECT n, t FROM thing WHERE a = :a AND b = :b";
    EXPECT_EQ(looked_up(two, {"b"sv, "1"sv, "a"sv, "1"sv, "c"sv, "1"sv, "b"sv, "1"sv}, 2),
              "3/, 0/y\n1/, 0/x\n3/, 0/y\n");
    // Several rows for one key, keys without any, null, numbers given as text, trailing blanks.
    const std::string by_a = "SELECT n FROM thing WHERE a = :a";
    EXPECT_EQ(looked_up(by_a, {"b"sv, "a"sv, "z"sv}, 1), "3/\n1/\n2/\n");
    looked_up(by_a, {"b"sv, std::monostate{}, "a"sv}, 1);
    looked_up(by_a, {"a "sv, "b"sv}, 1);
    const std::string by_n = "SELECT b FROM thing WHERE n = :n";
    EXPECT_EQ(looked_up(by_n, {3_i, 1_i}, 1), "0/1\n0/1\n");
    EXPECT_EQ(looked_up(by_n, {"3"sv, 2.0, 1_i}, 1), "0/1\n0/2\n0/1\n");
    EXPECT_EQ(many(by_a, {"none"sv, "nothing"sv}).table.names(), std::vector<std::string>{"n"});
}

TEST_F(MariadbStatements, LookUpsOfColumnsWithACollationAnswerAsRowByRow) {
    run("INSERT INTO loose VALUES ('Anna', 'x', 1), ('anna', 'x ', 2), ('Bert', 'y', 3)");
    EXPECT_EQ(
        looked_up("SELECT n FROM loose WHERE name = :name", {"ANNA"sv, "anna"sv, "bert"sv}, 1),
        "1/\n2/\n1/\n2/\n3/\n");
    EXPECT_EQ(looked_up("SELECT n FROM loose WHERE padded = :p", {"x"sv, "y"sv}, 1),
              "1/\n2/\n3/\n");
}

TEST_F(MariadbStatements, EveryColumnTypeOfTheEngineCanBeRead) {
    const std::string blob(70'000, 'b');
    run("INSERT INTO number (u, d, f, y, at, bits, blobs) VALUES (:u, 12.50, 1.5, -7, "
        "'2026-11-21 06:48:12.345', b'101', :blob)",
        {5_i, as_bytes(blob)});
    run("INSERT INTO number (u) VALUES (18446744073709551615)");
    const Table table =
        run("SELECT u, d, f, y, at, bits, blobs, NULL FROM number ORDER BY id").table;
    ASSERT_EQ(table.rows(), 2u);
    EXPECT_EQ(table.integer(0, 0), 5);
    EXPECT_EQ(table.real(0, 1), 12.5);
    EXPECT_EQ(table.real(0, 2), 1.5);
    EXPECT_EQ(table.integer(0, 3), -7);
    EXPECT_EQ(table.text(0, 4), "2026-11-21 06:48:12.345");
    EXPECT_EQ(table.text(0, 5), "\0\x05"sv);
    EXPECT_EQ(table.text(0, 6), blob);
    EXPECT_TRUE(table.is_null(0, 7));
    EXPECT_EQ(table.real(1, 0), 18446744073709551615.0);
    EXPECT_TRUE(table.is_null(1, 6));
    // What SUM makes of integers is one.
    EXPECT_EQ(run("SELECT sum(y) FROM number").table.integer(0, 0), -7);
    EXPECT_EQ(run("INSERT INTO number (y) VALUES (:y) RETURNING y", {3_i}).table.integer(0, 0), 3);
}

TEST_F(MariadbStatements, StrictModeRefusesWhatDoesNotFit) {
    EXPECT_EQ(sql_error(*session_, "INSERT INTO number (y) VALUES (:y)", {1000_i}).code,
              Code::constraint);
    EXPECT_EQ(sql_error(*session_, "INSERT INTO number (at) VALUES (:at)", {"yesterday"sv}).code,
              Code::constraint);
    const std::string name(21, 'x');
    EXPECT_EQ(
        sql_error(*session_, "INSERT INTO loose VALUES (:name, '', 1)", {std::string_view(name)})
            .code,
        Code::too_large);
    EXPECT_EQ(sql_error(*session_, "INSERT INTO number (blobs) VALUES (1 / :zero)", {0_i}).code,
              Code::constraint);
    EXPECT_EQ(run("SELECT count(*) FROM number").table.integer(0, 0), 0);
}

}  // namespace
}  // namespace penstock::test
