#include "penstock/store/statement_text.h"

#include <gtest/gtest.h>

#include "penstock/store/schema_steps.h"

namespace penstock {
namespace {

const SqlSyntax kDollars{.dollar_quotes = true, .nested_comments = true};
const SqlSyntax kBackslashes{
    .backslash_escapes = true, .hash_comments = true, .question_marks = true, .at_variables = true};

StatementText parsed(std::string_view sql, const SqlSyntax& syntax = {}) {
    auto text = StatementText::parse(sql, syntax);
    EXPECT_TRUE(text) << text.error().text;
    return text ? *std::move(text) : StatementText{};
}

std::string numbered(const StatementText& text) {
    return text.rewritten(text.all(), [](std::size_t place) { return std::to_string(place); });
}

void expect_refused(std::string_view sql, const SqlSyntax& syntax = {}) {
    const auto text = StatementText::parse(sql, syntax);
    ASSERT_FALSE(text) << sql;
    EXPECT_EQ(text.error().code, Code::invalid) << sql;
}

TEST(StatementText, FindsNamesInOrderAndEachPlace) {
    const auto text = parsed("INSERT INTO t (n, id, r) VALUES (:b, :a_1, :b)");
    EXPECT_EQ(text.names(), (std::vector<std::string>{"b", "a_1"}));
    EXPECT_EQ(std::vector<std::size_t>(text.places().begin(), text.places().end()),
              (std::vector<std::size_t>{0, 1, 0}));
    EXPECT_EQ(numbered(text), "INSERT INTO t (n, id, r) VALUES (0, 1, 2)");
}

TEST(StatementText, SeesNoParameterInQuotesCommentsAndCasts) {
    EXPECT_TRUE(
        parsed("SELECT ':a', \":b\", `:c`, x::text -- :d\n/* :e */ FROM t;").names().empty());
    EXPECT_EQ(parsed("SELECT 'it''s :a', :b").names().size(), 1u);
    EXPECT_EQ(parsed(R"(SELECT $$ :a $$, $q$ $$ :b $q$, E'\':c', :d)", kDollars).names().size(),
              1u);
    EXPECT_EQ(parsed("SELECT /* /* */ :a */ :b", kDollars).names().size(), 1u);
    EXPECT_EQ(parsed(R"(SELECT '\':a', "\":b", :c # :d)", kBackslashes).names().size(), 1u);
    EXPECT_EQ(parsed(R"(SELECT '\', :a)").names().size(), 1u);  // no escape here
    EXPECT_EQ(numbered(parsed("SELECT :a::text, x[1:2]")), "SELECT 0::text, x[1:2]");
}

TEST(StatementText, CutsASemicolonAndWhatFollows) {
    EXPECT_EQ(numbered(parsed("SELECT :a ; -- bye\n /* and */ ;")), "SELECT 0");
}

TEST(StatementText, RefusesWhatIsNotOneStatementOnRows) {
    for (const char* sql : {"",
                            ";",
                            "-- nothing",
                            "CREATE TABLE t (a int)",
                            "drop table t",
                            "BEGIN",
                            "SET x = 1",
                            "SAVEPOINT s",
                            "SELECT 1; SELECT 2",
                            "SELECT 1; DROP TABLE t",
                            "SELEKT 1",
                            "EXPLAIN SELECT 1",
                            "CALL p()",
                            "DO $$ $$",
                            "COPY t TO '/tmp/x'",
                            "LOCK TABLE t",
                            "SELECT a INTO b FROM c",
                            "SELECT a FROM b INTO OUTFILE 'x'",
                            "WITH x AS (SELECT 1)",
                            "SELECT 'open",
                            "SELECT (1",
                            "SELECT 1)",
                            "SELECT /* open",
                            "SELECT /*! DROP */ 1",
                            "SELECT /*M! DROP */ 1"}) {
        expect_refused(sql);
    }
    expect_refused(std::string_view("SELECT '\0'", 10));
    expect_refused("SELECT $1", kDollars);
    expect_refused("SELECT ?", kBackslashes);
    expect_refused("SELECT @a", kBackslashes);
    expect_refused("SELECT $a$ open", kDollars);
}

TEST(StatementText, KnowsWhatIsDoneBehindWith) {
    EXPECT_EQ(parsed("with x as (select 1) insert into t select * from x").verb(), "INSERT");
    const auto hidden = parsed("WITH x AS (DELETE FROM t RETURNING id) SELECT id FROM x");
    EXPECT_EQ(hidden.verb(), "SELECT");
    EXPECT_TRUE(hidden.writes());
    EXPECT_FALSE(parsed("WITH x AS (SELECT 1) SELECT * FROM x FOR UPDATE").writes());
    EXPECT_FALSE(parsed("SELECT a FROM t FOR UPDATE").writes());
    EXPECT_TRUE(parsed("update t set a = :a").writes());
}

TEST(StatementText, TakesAnInsertOfOneRowApart) {
    const auto text =
        parsed("INSERT INTO t (a, b) VALUES (:a, f(:b, 1)) ON CONFLICT (a) DO NOTHING;");
    const auto parts = text.one_row_insert();
    ASSERT_TRUE(parts);
    EXPECT_EQ(text.text(parts->head), "INSERT INTO t (a, b) ");
    EXPECT_EQ(text.text(parts->row), ":a, f(:b, 1)");
    EXPECT_EQ(text.text(parts->tail), " ON CONFLICT (a) DO NOTHING");
    EXPECT_EQ(text.rewritten(parts->row, [](std::size_t) { return "?"; }), "?, f(?, 1)");
    EXPECT_TRUE(text.has_word(parts->tail, "NOTHING"));
    EXPECT_FALSE(text.has_word(parts->row, "NOTHING"));
}

TEST(StatementText, LeavesOtherInsertsWhole) {
    for (const char* sql :
         {"INSERT INTO t VALUES (:a), (:b)", "INSERT INTO t SELECT :a",
          "INSERT INTO t VALUES (:a) ON CONFLICT (a) DO UPDATE SET a = :b", "UPDATE t SET a = :a",
          "WITH x AS (SELECT 1) INSERT INTO t VALUES (:a)"}) {
        EXPECT_FALSE(parsed(sql).one_row_insert()) << sql;
    }
}

TEST(ParametersOf, WritesAColonBeforeEachColumn) {
    EXPECT_EQ(parameters_of("a, b ,c"), ":a, :b, :c");
    EXPECT_EQ(parameters_of(""), "");
}

TEST(SchemaSteps, FindTheTableThatAStatementCreates) {
    EXPECT_EQ(created_table("CREATE TABLE items (id INTEGER)"), "items");
    EXPECT_EQ(created_table(" create\ntable \"items\"(id INTEGER)"), "items");
    EXPECT_EQ(created_table("CREATE UNIQUE INDEX i ON items (id)"), "");
    EXPECT_EQ(created_table("ALTER TABLE items ADD x INTEGER"), "");
}

TEST(SchemaSteps, RefuseTablesNewerThanTheProgram) {
    const Migration migrations[] = {{"a", 1, {}}, {"a", 2, {}}, {"b", 1, {}}};
    const auto known = last_versions(migrations);
    EXPECT_EQ(known, (SchemaVersions{{"a", 2}, {"b", 1}}));
    EXPECT_TRUE(check_not_newer({{"a", 2}, {"other", 9}}, known));
    const auto refused = check_not_newer({{"b", 2}}, known);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::too_new);
}

}  // namespace
}  // namespace penstock
