#include "penstock/edge/cli/config.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

std::string problem_of(std::string_view toml,
                       const std::map<std::string, std::string>& environment = {}) {
    const auto settings = parse_settings(toml, "penstock.toml", environment);
    if (settings) return "";
    EXPECT_EQ(settings.error().code, Code::unsafe);
    return settings.error().text;
}

TEST(Settings, NoFileMeansEmbeddedOnLoopback) {
    const auto settings = load_settings(std::nullopt, {});
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->log.kind, "file");
    EXPECT_EQ(settings->http.listen, "127.0.0.1:8080");
    EXPECT_EQ(settings->data, "./penstock-data");
}

TEST(Settings, TheEnvironmentOverridesTheFile) {
    const auto settings = parse_settings(
        "[store]\nmax_rows_per_s = 10\n[http]\nallowed_hosts = [\"a\"]\n", "f",
        {{"PENSTOCK_STORE_MAX_ROWS_PER_S", "20"}, {"PENSTOCK_HTTP_ALLOWED_HOSTS", "x,y"}});
    ASSERT_TRUE(settings) << settings.error().text;
    EXPECT_EQ(settings->store.max_rows_per_s, 20u);
    EXPECT_EQ(settings->http.allowed_hosts, (std::vector<std::string>{"x", "y"}));
}

TEST(Settings, AnUnknownKeyNamesTheNearest) {
    EXPECT_EQ(problem_of("[store]\nmax_row_per_s = 1\n"),
              "penstock.toml:2: there is no setting store.max_row_per_s; the nearest is "
              "store.max_rows_per_s");
    EXPECT_NE(problem_of("", {{"PENSTOCK_HTTP_LISTENS", "x"}}).find("PENSTOCK_HTTP_LISTEN"),
              std::string::npos);
}

TEST(Settings, WrongValuesSayWhatTheyMayBe) {
    const std::pair<const char*, const char*> cases[] = {
        {"[store]\nmax_rows_per_s = -1\n", "a whole number from 0"},
        {"[store]\nmax_rows_per_s = 1.5\n", "a whole number from 0"},
        {"[store]\nmax_rows_per_s = \"many\"\n", "a whole number from 0"},
        {"[log]\nkind = \"pulsar\"\n", "one of \"file\", \"kafka\""},
        {"[log]\naccept_data_loss = 1\n", "true or false"},
        {"[log]\nreplication_factor = 0\n", "a whole number from 1"},
        {"[log]\nsegment_bytes = \"12 MB\"\n", "a number of bytes"},
        {"[runtime]\ndedup_horizon = \"soon\"\n", "a duration"},
        {"[runtime]\ndedup_horizon = \"1s\"\n", "a duration"},
        {"[logging]\nlevel = \"loud\"\n", "one of \"debug\""},
        {"[http]\nallowed_hosts = [1]\n", "a list"},
        {"log = 1\n", "there is no setting log"},
    };
    for (const auto& [toml, expected] : cases) {
        EXPECT_NE(problem_of(toml).find(expected), std::string::npos) << toml << problem_of(toml);
    }
}

TEST(Settings, BrokenTextNamesTheLine) {
    for (const char* toml : {"[store\n", "[\nlisten = 1\n", "[[\n", "[store.\n", "a.\n",
                             "\u0424 = 1\n", "a = \u00e4\n"}) {
        EXPECT_EQ(problem_of(toml).rfind("penstock.toml:1", 0), 0u) << toml << problem_of(toml);
    }
}

TEST(Settings, TextMayBeOfAnyScript) {
    const auto settings =
        parse_settings("# \u0424\ndata = \"\"\"\\\n  \u00e4/\u0424\"\"\"\n", "penstock.toml", {});
    ASSERT_TRUE(settings) << settings.error().text;
    EXPECT_EQ(settings->data, "\u00e4/\u0424");
}

TEST(Settings, DurationsAndSizes) {
    EXPECT_EQ(parse_duration("7d"), std::chrono::hours(168));
    EXPECT_EQ(parse_duration("250ms"), std::chrono::milliseconds(250));
    EXPECT_FALSE(parse_duration("7"));
    EXPECT_FALSE(parse_duration("-1s"));
    EXPECT_FALSE(parse_duration("99999999999999999999d"));
    EXPECT_EQ(parse_bytes("16GiB"), 16ull << 30);
    EXPECT_EQ(parse_bytes("512"), 512u);
    EXPECT_FALSE(parse_bytes("1MB"));
    EXPECT_FALSE(parse_bytes("99999999999TiB"));
}

TEST(Settings, AFileThatIsNoTextIsRefused) {
    using namespace std::string_view_literals;
    const auto settings = parse_settings("data = \"d\"\n[\x0f\0x]\n"sv, "penstock.toml", {});
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().code, Code::unsafe);
    EXPECT_NE(settings.error().text.find("penstock.toml:2: "), std::string::npos);
}

}  // namespace
}  // namespace penstock::cli
