#include <gtest/gtest.h>

#include "penstock/apps/sale/sale.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/log/memory/memory_log.h"
#include "penstock/runtime/line_mark.h"
#include "penstock/runtime/node.h"
#include "penstock/store/sqlite/sqlite_store.h"
#include "test/kit/append_collector.h"
#include "test/kit/temp_dir.h"

namespace penstock::test {
namespace {

const TopicId kSale("sale");

std::vector<std::unique_ptr<App>> make_apps() {
    std::vector<std::unique_ptr<App>> apps;
    apps.push_back(sale::make_sale());
    return apps;
}

/// One log that several databases can reach.
class LineTopicsTest : public testing::Test {
protected:
    NodeOptions options() const {
        NodeOptions given;
        given.mark_topics = true;
        given.topics = {{kSale, 1, std::nullopt, std::nullopt}};
        return given;
    }

    /// A start and a stop of a node on the database `name`.
    Result<void> start(const std::string& name, const NodeOptions& options) {
        auto store = SqliteStore::open({.path = directory_.path() + "/" + name}, system_env());
        if (!store) return std::move(store).error();
        LocalGate gate(system_env());
        const auto node =
            make_node(system_env(), log_, gate, **store, make_apps, options, observer_);
        auto started = node->start();
        layout_ = started ? node->layout_of("sale") : std::nullopt;
        node->stop(system_env().clock.mono() + std::chrono::seconds(10));
        return started;
    }
    Error refusal(const std::string& name, const NodeOptions& options) {
        const auto started = start(name, options);
        return started ? error(Code::io, "it started") : started.error();
    }
    void append(std::string_view value) {
        AppendCollector sink(system_env());
        const Record record{as_bytes("key"), as_bytes(value), {}, LayoutId(0)};
        log_.append({kSale, PartitionId(0)}, std::span(&record, 1), 0, sink);
        ASSERT_TRUE(sink.wait_for(1));
    }

    TempDir directory_;
    MemoryLog log_{system_env()};
    RuntimeObserver observer_;
    std::optional<Layout> layout_;
};

TEST_F(LineTopicsTest, TheFirstRecordNamesTheDatabasesLine) {
    ASSERT_TRUE(start("one", options()));
    const Uuid line = layout_->line;
    const auto described = log_.describe(kSale);
    ASSERT_TRUE(described);
    const auto first = read_first_record(log_, described->front());
    ASSERT_TRUE(first);
    EXPECT_EQ(first->kind, FirstRecord::Kind::mark);
    EXPECT_EQ(first->line, line);
    ASSERT_TRUE(start("one", options()));
    EXPECT_EQ(layout_->line, line);
    EXPECT_EQ(log_.describe(kSale)->front().partitions.front().end, Offset(1));
}

TEST_F(LineTopicsTest, ASecondDatabaseIsRefusedUntilItAdopts) {
    ASSERT_TRUE(start("one", options()));
    const std::string line = format_uuid(layout_->line);
    NodeOptions second = options();
    for (const std::string adopt : {"", "unmarked", "00000000-0000-7000-8000-000000000000"}) {
        second.adopt = adopt;
        const Error why = refusal("two", second);
        EXPECT_EQ(why.code, Code::unsafe) << why.text;
        EXPECT_NE(why.text.find("log.adopt = \"" + line + "\""), std::string::npos) << why.text;
    }
    second.adopt = line;
    ASSERT_TRUE(start("two", second));
    EXPECT_EQ(format_uuid(layout_->line), line);
    ASSERT_TRUE(start("two", options()));
}

TEST_F(LineTopicsTest, ForeignRecordsAreNotTakenForALine) {
    ASSERT_TRUE(log_.create({kSale, 1, std::nullopt, std::nullopt}));
    append("not ours");
    const Error why = refusal("one", options());
    EXPECT_EQ(why.code, Code::unsafe) << why.text;
    NodeOptions knowing = options();
    knowing.adopt = "unmarked";
    ASSERT_TRUE(start("one", knowing));
    ASSERT_TRUE(start("one", options()));
}

TEST_F(LineTopicsTest, AnotherNumberOfPartitionsIsRefused) {
    NodeOptions two = options();
    two.topics.front().partitions = 2;
    ASSERT_TRUE(log_.create({kSale, 3, std::nullopt, std::nullopt}));
    const Error before = refusal("one", two);
    EXPECT_EQ(before.code, Code::unsafe) << before.text;
    EXPECT_NE(before.text.find("log.partitions = 3"), std::string::npos) << before.text;
    two.topics.front().partitions = 3;
    ASSERT_TRUE(start("one", two));
    const Error after = refusal("one", options());
    EXPECT_EQ(after.code, Code::unsafe) << after.text;
}

TEST_F(LineTopicsTest, PartitionsAddedByAnotherToolAreNotUsed) {
    ASSERT_TRUE(start("one", options()));
    ASSERT_TRUE(log_.alter({kSale, 4, std::nullopt, std::nullopt}));
    ASSERT_TRUE(start("one", options()));
    EXPECT_EQ(layout_->partitions, 1u);
}

TEST_F(LineTopicsTest, ATopicThatIsGoneIsNotMadeAgain) {
    ASSERT_TRUE(start("one", options()));
    ASSERT_TRUE(log_.remove(kSale));
    const Error why = refusal("one", options());
    EXPECT_EQ(why.code, Code::damaged) << why.text;
    EXPECT_EQ(log_.describe(kSale).error().code, Code::not_found);
}

}  // namespace
}  // namespace penstock::test
