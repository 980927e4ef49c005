#include "test/contract/log_contract.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <thread>

#include "test/kit/append_collector.h"

namespace penstock::contract {
namespace {

using test::AppendCollector;

using testing::HasSubstr;

constexpr std::size_t kAmple = 64 * 1024 * 1024;
const TopicId kTopic("orders");
const TopicPartition kFirst{kTopic, PartitionId(0)};

Record text_record(std::string_view key, std::string_view value) {
    Record record;
    record.key = as_bytes(key);
    record.value = as_bytes(value);
    return record;
}

TopicSpec spec_of(const TopicId& topic, std::uint32_t partitions = 1) {
    TopicSpec spec;
    spec.topic = topic;
    spec.partitions = partitions;
    return spec;
}

std::vector<Logged> records_of(const Subscription::Polled& polled) {
    std::vector<Logged> all;
    for (const Slice& slice : polled.slices) {
        all.insert(all.end(), slice.records.begin(), slice.records.end());
    }
    return all;
}

/// A log with what most tests do to it.
class Subject {
public:
    explicit Subject(const LogAdapter& adapter, std::size_t max_pending_bytes = kAmple)
        : fixture_(adapter.open(max_pending_bytes)) {}

    Env& env() { return fixture_->env(); }
    Log& log() { return fixture_->log(); }
    void reopen() { fixture_->reopen(); }
    MonoTime soon() { return env().clock.mono() + std::chrono::seconds(30); }

    void create(const TopicSpec& spec) {
        const auto created = log().create(spec);
        ASSERT_TRUE(created) << created.error().text;
    }
    /// Appends one call and waits; the offsets.
    std::vector<Offset> append(const std::vector<Record>& records,
                               const TopicPartition& at = kFirst) {
        AppendCollector collector(env());
        log().append(at, records, 0, collector);
        EXPECT_TRUE(collector.wait_for(records.size()));
        std::vector<Offset> offsets;
        for (const auto& [tag, result] : collector.results()) {
            EXPECT_TRUE(result) << result.error().text;
            if (result) offsets.push_back(*result);
        }
        return offsets;
    }
    void append_numbers(std::size_t count, const TopicPartition& at = kFirst) {
        std::vector<std::string> texts;
        for (std::size_t i = 0; i < count; ++i) texts.push_back(fmt::format("{:08}", i));
        std::vector<Record> records;
        for (const std::string& text : texts) records.push_back(text_record(text, text));
        append(records, at);
    }
    std::unique_ptr<ReadBatch> read(Offset from, const ReadLimits& limits = {},
                                    const TopicPartition& at = kFirst) {
        auto batch = log().read(at, from, limits);
        EXPECT_TRUE(batch) << batch.error().text;
        return batch ? std::move(*batch) : nullptr;
    }
    Offset end(const TopicPartition& at = kFirst) { return info(at).end; }
    PartitionInfo info(const TopicPartition& at = kFirst) {
        auto infos = log().describe(at.topic);
        EXPECT_TRUE(infos);
        return infos->at(0).partitions.at(at.partition.value());
    }
    std::unique_ptr<Subscription> subscribe(std::vector<TopicPartition> at = {kFirst}) {
        auto subscription = log().subscribe({"group", std::move(at)});
        EXPECT_TRUE(subscription) << subscription.error().text;
        return std::move(*subscription);
    }

private:
    const std::unique_ptr<LogFixture> fixture_;
};

/// Polls until `count` records came; they are checked at once, since they are borrowed.
std::vector<std::uint64_t> follow(Subject& subject, Subscription& subscription, std::size_t count) {
    std::vector<std::uint64_t> offsets;
    const MonoTime by = subject.soon();
    while (offsets.size() < count && subject.env().clock.mono() < by) {
        auto polled = subscription.poll({}, by);
        EXPECT_TRUE(polled) << polled.error().text;
        if (!polled) break;
        for (const Logged& record : records_of(*polled)) offsets.push_back(record.offset.value());
    }
    return offsets;
}

std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> all;
    for (; from < to; ++from) all.push_back(from);
    return all;
}

}  // namespace

TEST_P(LogContract, ReadsBackEveryFieldOfARecord) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    const std::string binary("\0\xff key \n", 8);
    const std::array<Header, 3> headers{Header{"id", as_bytes("a-1")}, Header{"", Bytes{}},
                                        Header{"id", as_bytes(binary)}};
    Record full = text_record(binary, "value");
    full.headers = headers;
    full.layout = LayoutId(7);
    Record keyless;
    keyless.value = as_bytes("");
    keyless.layout = LayoutId(8);
    Record tombstone;
    tombstone.key = as_bytes("");
    EXPECT_EQ(subject.append({full, keyless, tombstone}),
              (std::vector<Offset>{Offset(0), Offset(1), Offset(2)}));

    for (int life = 0; life < 2; ++life) {
        const auto batch = subject.read(Offset(0));
        const auto records = batch->records();
        ASSERT_EQ(records.size(), 3u);
        EXPECT_EQ(as_text(*records[0].key), binary);
        EXPECT_EQ(as_text(*records[0].value), "value");
        EXPECT_EQ(records[0].layout, LayoutId(7));
        ASSERT_EQ(records[0].headers.size(), 3u);
        EXPECT_EQ(records[0].headers[0].name, "id");
        EXPECT_EQ(as_text(records[0].headers[0].value), "a-1");
        EXPECT_EQ(records[0].headers[1].name, "");
        EXPECT_EQ(as_text(records[0].headers[2].value), binary);
        EXPECT_FALSE(records[1].key.has_value());
        EXPECT_EQ(as_text(*records[1].value), "");
        EXPECT_EQ(records[1].layout, LayoutId(8));
        EXPECT_TRUE(records[1].headers.empty());
        EXPECT_EQ(as_text(*records[2].key), "");
        EXPECT_FALSE(records[2].value.has_value());
        EXPECT_EQ(records[2].offset, Offset(2));
        subject.reopen();
    }
}

TEST_P(LogContract, KeepsTheRecordsOfACallTogetherAndInOrder) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kCalls = 50;
    constexpr std::size_t kPerCall = 5;
    AppendCollector collector(subject.env());
    {
        std::vector<std::unique_ptr<Task>> callers;
        for (std::size_t t = 0; t < kThreads; ++t) {
            callers.push_back(subject.env().executor.spawn("caller", [&, t] {
                for (std::size_t call = 0; call < kCalls; ++call) {
                    const std::uint64_t tag = (t * kCalls + call) * kPerCall;
                    const std::string key = fmt::format("{}", tag);
                    const std::vector<Record> records(kPerCall, text_record(key, key));
                    subject.log().append(kFirst, records, tag, collector);
                }
            }));
        }
    }
    const std::size_t total = kThreads * kCalls * kPerCall;
    ASSERT_TRUE(collector.wait_for(total));
    EXPECT_EQ(collector.repeated(), 0u);
    const auto results = collector.results();
    std::vector<std::uint64_t> offsets;
    for (const auto& [tag, result] : results) {
        ASSERT_TRUE(result) << result.error().text;
        EXPECT_EQ(result->value(), results.at(tag - tag % kPerCall)->value() + tag % kPerCall);
        offsets.push_back(result->value());
    }
    std::sort(offsets.begin(), offsets.end());
    EXPECT_EQ(offsets, numbers(0, total));
    for (std::size_t t = 0; t < kThreads; ++t) {  // calls of one thread keep their order
        for (std::size_t call = 1; call < kCalls; ++call) {
            const std::uint64_t tag = (t * kCalls + call) * kPerCall;
            EXPECT_GT(*results.at(tag), *results.at(tag - kPerCall));
        }
    }
}

TEST_P(LogContract, ReadsOnlyWhatIsDurableAndEmptyAtTheEnd) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    EXPECT_TRUE(subject.read(Offset(0))->records().empty());
    AppendCollector collector(subject.env());
    const Record record = text_record("k", "v");
    subject.log().append(kFirst, {&record, 1}, 0, collector);
    // Whatever can be read was counted as durable before it was read.
    const auto batch = subject.read(Offset(0));
    EXPECT_LE(batch->records().size(), subject.end().value());
    ASSERT_TRUE(collector.wait_for(1));
    EXPECT_EQ(subject.end(), Offset(1));
    EXPECT_EQ(subject.read(Offset(0))->records().size(), 1u);
    EXPECT_TRUE(subject.read(Offset(1))->records().empty());
    const auto beyond = subject.log().read(kFirst, Offset(2), {});
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, Code::out_of_range);
}

TEST_P(LogContract, ReadsInPiecesAsLargeAsTheLimitsSay) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    subject.append_numbers(500);
    std::vector<std::uint64_t> offsets;
    while (offsets.size() < 500) {
        const auto batch = subject.read(Offset(offsets.size()), {7, kAmple});
        ASSERT_FALSE(batch->records().empty());
        ASSERT_LE(batch->records().size(), 7u);
        for (const Logged& record : batch->records()) {
            offsets.push_back(record.offset.value());
            EXPECT_EQ(as_text(*record.value), fmt::format("{:08}", record.offset.value()));
        }
    }
    EXPECT_EQ(offsets, numbers(0, 500));
    // 16 bytes of key and value each: three of them fit into 50.
    EXPECT_EQ(subject.read(Offset(100), {1000, 50})->records().size(), 3u);
    // At least one record comes.
    EXPECT_EQ(subject.read(Offset(100), {1000, 1})->records().size(), 1u);
    EXPECT_EQ(subject.read(Offset(0), {1000, kAmple})->records().size(), 500u);
}

TEST_P(LogContract, LetsABatchBeReadAfterItsReaderIsGone) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    subject.append_numbers(3);
    auto first = subject.read(Offset(0));
    auto moved = std::move(first);
    subject.append_numbers(200);
    EXPECT_EQ(as_text(*moved->records()[2].value), "00000002");
}

TEST_P(LogContract, NeverLetsLogTimeGoDown) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    for (int i = 0; i < 20; ++i) subject.append_numbers(3);
    subject.reopen();
    for (int i = 0; i < 20; ++i) subject.append_numbers(3);
    const auto batch = subject.read(Offset(0));
    const auto records = batch->records();
    ASSERT_EQ(records.size(), 120u);
    const auto earlier = [](const Logged& a, const Logged& b) { return a.time < b.time; };
    EXPECT_TRUE(std::is_sorted(records.begin(), records.end(), earlier));
    EXPECT_GT(unix_ms(records[0].time), 0);
}

TEST_P(LogContract, FindsTheFirstOffsetOfATime) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    EXPECT_EQ(*subject.log().offset_at(kFirst, log_time(0)), Offset(0));
    for (int i = 0; i < 30; ++i) subject.append_numbers(5);
    const auto batch = subject.read(Offset(0));
    const auto records = batch->records();
    for (const Logged& record : records) {
        const auto expected =
            std::find_if(records.begin(), records.end(),
                         [&](const Logged& other) { return other.time >= record.time; });
        const auto found = subject.log().offset_at(kFirst, record.time);
        ASSERT_TRUE(found);
        EXPECT_EQ(*found, expected->offset);
    }
    const LogTime late = records.back().time + std::chrono::milliseconds(1);
    EXPECT_EQ(*subject.log().offset_at(kFirst, late), subject.end());
    EXPECT_EQ(*subject.log().offset_at(kFirst, log_time(0)), Offset(0));
}

TEST_P(LogContract, RefusesRecordsOverTheLimitsAndTakesTheirNeighbours) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    const std::string long_key(kMaxKeyBytes + 1, 'k');
    const std::string long_value(kMaxValueBytes + 1, 'v');
    const std::vector<Header> many(kMaxHeaders + 1, Header{"n", as_bytes("v")});
    Record headers = text_record("k", "v");
    headers.headers = many;
    const std::vector<Record> records = {text_record("k", "0"),
                                         text_record(long_key, "v"),
                                         text_record("k", "2"),
                                         text_record("k", long_value),
                                         headers,
                                         text_record("k", "5")};
    AppendCollector collector(subject.env());
    subject.log().append(kFirst, records, 10, collector);
    ASSERT_TRUE(collector.wait_for(records.size()));
    const auto results = collector.results();
    for (const std::uint64_t bad : {11, 13, 14}) {
        ASSERT_FALSE(results.at(bad)) << bad;
        EXPECT_EQ(results.at(bad).error().code, Code::too_large);
        EXPECT_EQ(results.at(bad).error().effect, Effect::none);
    }
    EXPECT_EQ(*results.at(10), Offset(0));
    EXPECT_EQ(*results.at(12), Offset(1));
    EXPECT_EQ(*results.at(15), Offset(2));
    EXPECT_EQ(subject.end(), Offset(3));
}

TEST_P(LogContract, TakesTheLargestRecord) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    const std::string key(kMaxKeyBytes, 'k');
    const std::string value(kMaxValueBytes, '\0');
    const std::string header(kMaxHeaderBytes / kMaxHeaders - 1, 'h');
    const std::vector<Header> headers(kMaxHeaders, Header{"n", as_bytes(header)});
    Record largest = text_record(key, value);
    largest.headers = headers;
    subject.append({text_record("small", "small"), largest, largest, text_record("small", "end")});
    subject.reopen();
    const auto batch = subject.read(Offset(1), {2, kAmple});
    ASSERT_EQ(batch->records().size(), 2u);
    EXPECT_EQ(as_text(*batch->records()[1].value), value);
    EXPECT_EQ(as_text(batch->records()[1].headers[31].value), header);
    EXPECT_EQ(as_text(*subject.read(Offset(3))->records()[0].value), "end");
}

TEST_P(LogContract, AnswersOverloadedInsteadOfBlocking) {
    constexpr std::size_t kQueue = 64 * 1024;
    Subject subject(GetParam(), kQueue);
    subject.create(spec_of(kTopic));
    const std::string value(16 * 1024, 'v');
    const std::vector<Record> records(200, text_record("k", value));
    AppendCollector collector(subject.env());
    subject.log().append(kFirst, records, 0, collector);
    ASSERT_TRUE(collector.wait_for(records.size()));
    std::size_t overloaded = 0;
    std::size_t durable = 0;
    for (const auto& [tag, result] : collector.results()) {
        if (result) {
            ++durable;
        } else {
            EXPECT_EQ(result.error().code, Code::overloaded);
            EXPECT_EQ(result.error().effect, Effect::none);
            ++overloaded;
        }
    }
    EXPECT_GT(overloaded, 0u);
    EXPECT_GT(durable, 0u);
    EXPECT_EQ(subject.end(), Offset(durable));
    subject.append_numbers(1);  // there is room again
}

TEST_P(LogContract, AnswersAppendsToWhatIsNotThere) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    for (const TopicPartition& at : {TopicPartition{TopicId("none"), PartitionId(0)},
                                     TopicPartition{kTopic, PartitionId(1)}}) {
        AppendCollector collector(subject.env());
        const std::vector<Record> records(2, text_record("k", "v"));
        subject.log().append(at, records, 3, collector);
        ASSERT_TRUE(collector.wait_for(2));
        for (const std::uint64_t tag : {3, 4}) {
            EXPECT_EQ(collector.results().at(tag).error().code, Code::not_found);
            EXPECT_EQ(collector.results().at(tag).error().effect, Effect::none);
        }
        EXPECT_EQ(subject.log().read(at, Offset(0), {}).error().code, Code::not_found);
        EXPECT_EQ(subject.log().offset_at(at, log_time(0)).error().code, Code::not_found);
        EXPECT_EQ(subject.log().subscribe({"g", {at}}).error().code, Code::not_found);
        EXPECT_EQ(subject.log().trim(at, Offset(0), log_time(0)).error().code, Code::not_found);
    }
}

TEST_P(LogContract, DescribesTopicsSortedByName) {
    Subject subject(GetParam());
    TopicSpec kept = spec_of(TopicId("b"), 3);
    kept.retention_time = std::chrono::hours(1);
    kept.retention_bytes = 1 << 20;
    subject.create(spec_of(TopicId("c")));
    subject.create(kept);
    subject.create(spec_of(TopicId("a.B_c-9")));
    subject.append_numbers(4, {TopicId("b"), PartitionId(2)});
    std::optional<Uuid> uuid;
    for (int life = 0; life < 2; ++life) {
        const auto all = subject.log().describe(std::nullopt);
        ASSERT_TRUE(all);
        ASSERT_EQ(all->size(), 3u);
        EXPECT_EQ((*all)[0].spec.topic.value(), "a.B_c-9");
        EXPECT_EQ((*all)[2].spec.topic.value(), "c");
        const TopicInfo& b = (*all)[1];
        EXPECT_EQ(b.spec.partitions, 3u);
        EXPECT_EQ(b.spec.retention_time, kept.retention_time);
        EXPECT_EQ(b.spec.retention_bytes, kept.retention_bytes);
        ASSERT_EQ(b.partitions.size(), 3u);
        EXPECT_NE(b.partitions[0].uuid, b.partitions[1].uuid);
        EXPECT_EQ(b.partitions[1].end, Offset(0));
        EXPECT_EQ(b.partitions[2].partition, PartitionId(2));
        EXPECT_EQ(b.partitions[2].start, Offset(0));
        EXPECT_EQ(b.partitions[2].end, Offset(4));
        if (GetParam().knows_bytes) {
            EXPECT_GT(b.partitions[2].bytes, 0u);
        }
        EXPECT_FALSE(b.partitions[2].stopped.has_value());
        EXPECT_EQ(b.partitions[2].uuid, uuid.value_or(b.partitions[2].uuid));
        uuid = b.partitions[2].uuid;
        const auto one = subject.log().describe(TopicId("b"));
        ASSERT_TRUE(one);
        ASSERT_EQ(one->size(), 1u);
        EXPECT_EQ(one->at(0).partitions[2].uuid, *uuid);
        subject.reopen();
    }
    EXPECT_EQ(subject.log().describe(TopicId("none")).error().code, Code::not_found);
}

TEST_P(LogContract, RefusesTopicsThatCannotBe) {
    Subject subject(GetParam());
    for (const char* name : {"", ".", "..", "a/b", "a b", "~new-a", "é"}) {
        EXPECT_EQ(subject.log().create(spec_of(TopicId(name))).error().code, Code::invalid) << name;
    }
    EXPECT_EQ(subject.log().create(spec_of(TopicId(std::string(250, 'a')))).error().code,
              Code::invalid);
    EXPECT_EQ(subject.log().create(spec_of(kTopic, 0)).error().code, Code::invalid);
    EXPECT_EQ(subject.log().create(spec_of(kTopic, kMaxPartitions + 1)).error().code,
              Code::invalid);
    subject.create(spec_of(kTopic));
    EXPECT_EQ(subject.log().create(spec_of(kTopic)).error().code, Code::exists);
    EXPECT_EQ(subject.log().create(spec_of(kTopic, 2)).error().code, Code::exists);
    subject.create(spec_of(TopicId(std::string(249, 'z'))));
    EXPECT_EQ(subject.log().describe(std::nullopt)->size(), 2u);
}

TEST_P(LogContract, GrowsATopicAndKeepsWhatIsThere) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic, 2));
    subject.append_numbers(3);
    const Uuid uuid = subject.info().uuid;
    TopicSpec grown = spec_of(kTopic, 4);
    grown.retention_time = std::chrono::hours(2);
    ASSERT_TRUE(subject.log().alter(grown));
    subject.append_numbers(2, {kTopic, PartitionId(3)});
    EXPECT_EQ(subject.log().alter(spec_of(kTopic, 3)).error().code, Code::invalid);
    EXPECT_EQ(subject.log().alter(spec_of(TopicId("none"))).error().code, Code::not_found);
    subject.reopen();
    const auto infos = subject.log().describe(kTopic);
    ASSERT_TRUE(infos);
    EXPECT_EQ(infos->at(0).spec.partitions, 4u);
    EXPECT_EQ(infos->at(0).spec.retention_time, grown.retention_time);
    EXPECT_EQ(infos->at(0).partitions.at(0).uuid, uuid);
    EXPECT_EQ(infos->at(0).partitions.at(0).end, Offset(3));
    EXPECT_EQ(infos->at(0).partitions.at(3).end, Offset(2));
}

TEST_P(LogContract, RemovesATopicForGood) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic, 2));
    subject.create(spec_of(TopicId("other")));
    subject.append_numbers(300);
    const Uuid uuid = subject.info().uuid;
    ASSERT_TRUE(subject.log().remove(kTopic));
    EXPECT_EQ(subject.log().remove(kTopic).error().code, Code::not_found);
    EXPECT_EQ(subject.log().describe(kTopic).error().code, Code::not_found);
    subject.reopen();
    EXPECT_EQ(subject.log().describe(std::nullopt)->size(), 1u);
    subject.create(spec_of(kTopic));
    EXPECT_EQ(subject.end(), Offset(0));
    EXPECT_NE(subject.info().uuid, uuid);
    subject.append_numbers(1);
    EXPECT_EQ(subject.end(), Offset(1));
}

TEST_P(LogContract, KeepsOffsetsGoingAfterAReopen) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    for (std::uint64_t life = 0; life < 4; ++life) {
        subject.append_numbers(150);
        EXPECT_EQ(subject.end(), Offset(150 * (life + 1)));
        subject.reopen();
        EXPECT_EQ(subject.end(), Offset(150 * (life + 1)));
    }
    const auto batch = subject.read(Offset(0));
    ASSERT_EQ(batch->records().size(), 600u);
    EXPECT_EQ(as_text(*batch->records()[451].value), "00000001");
}

TEST_P(LogContract, FollowsFromTheOffsetItWasStartedAt) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    subject.append_numbers(300);
    const auto subscription = subject.subscribe();
    auto polled = subscription->poll({}, subject.soon());
    ASSERT_TRUE(polled);
    EXPECT_EQ(polled->granted, std::vector<TopicPartition>{kFirst});
    EXPECT_TRUE(polled->slices.empty());
    // Nothing flows before start().
    polled = subscription->poll({}, subject.env().clock.mono());
    ASSERT_TRUE(polled);
    EXPECT_TRUE(polled->slices.empty());
    ASSERT_TRUE(subscription->start(kFirst, Offset(120)));
    EXPECT_EQ(follow(subject, *subscription, 180), numbers(120, 300));
    subject.append_numbers(20);
    EXPECT_EQ(follow(subject, *subscription, 20), numbers(300, 320));
    // Again: a seek.
    ASSERT_TRUE(subscription->start(kFirst, Offset(318)));
    EXPECT_EQ(follow(subject, *subscription, 2), numbers(318, 320));
    EXPECT_EQ(subscription->start(kFirst, Offset(321)).error().code, Code::out_of_range);
}

TEST_P(LogContract, WakesAPollWhenSomethingBecomesDurable) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    const auto subscription = subject.subscribe();
    ASSERT_TRUE(subscription->poll({}, subject.soon()));
    ASSERT_TRUE(subscription->start(kFirst, Offset(0)));
    const auto appender = subject.env().executor.spawn("appender", [&] {
        for (int i = 0; i < 100; ++i) subject.append_numbers(1);
    });
    EXPECT_EQ(follow(subject, *subscription, 100), numbers(0, 100));
}

TEST_P(LogContract, ReturnsFromAPollAtItsTimeOrWhenWoken) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    const auto subscription = subject.subscribe();
    ASSERT_TRUE(subscription->poll({}, subject.soon()));
    ASSERT_TRUE(subscription->start(kFirst, Offset(0)));
    auto polled = subscription->poll({}, subject.env().clock.mono() + std::chrono::milliseconds(5));
    ASSERT_TRUE(polled);
    EXPECT_TRUE(polled->slices.empty());
    subscription->wake();  // before the poll: not lost
    polled = subscription->poll({}, kNever);
    ASSERT_TRUE(polled);
    EXPECT_TRUE(polled->slices.empty());
    const auto waker = subject.env().executor.spawn("waker", [&] { subscription->wake(); });
    polled = subscription->poll({}, kNever);
    ASSERT_TRUE(polled);
    EXPECT_TRUE(polled->slices.empty());
}

TEST_P(LogContract, HoldsBackWhatIsPausedOrReleased) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic, 3));
    const TopicPartition second{kTopic, PartitionId(1)};
    const TopicPartition third{kTopic, PartitionId(2)};
    for (const auto& at : {kFirst, second, third}) subject.append_numbers(10, at);
    const auto subscription = subject.subscribe({kFirst, second});
    const auto granted = subscription->poll({}, subject.soon());
    ASSERT_TRUE(granted);
    EXPECT_EQ(granted->granted, (std::vector<TopicPartition>{kFirst, second}));
    ASSERT_TRUE(subscription->start(kFirst, Offset(0)));
    ASSERT_TRUE(subscription->start(second, Offset(0)));
    subscription->pause(second, true);
    EXPECT_EQ(follow(subject, *subscription, 10), numbers(0, 10));
    EXPECT_TRUE(subscription->poll({}, subject.env().clock.mono())->slices.empty());
    subscription->pause(second, false);
    EXPECT_EQ(follow(subject, *subscription, 10), numbers(0, 10));

    ASSERT_TRUE(subscription->assign(third));
    EXPECT_EQ(subscription->poll({}, subject.soon())->granted, std::vector<TopicPartition>{third});
    ASSERT_TRUE(subscription->start(third, Offset(9)));
    EXPECT_EQ(follow(subject, *subscription, 1), numbers(9, 10));
    subscription->release(third);
    subscription->report(kFirst, Offset(10));
    subject.append_numbers(1, third);
    subject.append_numbers(1);
    auto polled = subscription->poll({}, subject.soon());
    ASSERT_TRUE(polled);
    ASSERT_EQ(polled->slices.size(), 1u);
    EXPECT_EQ(polled->slices[0].at, kFirst);
    EXPECT_EQ(subscription->start(third, Offset(0)).error().code, Code::not_found);
}

TEST_P(LogContract, SharesAPollAmongPartitions) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic, 2));
    const TopicPartition second{kTopic, PartitionId(1)};
    subject.append_numbers(400);
    subject.append_numbers(5, second);
    const auto subscription = subject.subscribe({kFirst, second});
    ASSERT_TRUE(subscription->poll({}, subject.soon()));
    ASSERT_TRUE(subscription->start(kFirst, Offset(0)));
    ASSERT_TRUE(subscription->start(second, Offset(0)));
    // One record of each alone: then there is more of both at hand.
    for (const auto& [served, other] : {std::pair(second, kFirst), std::pair(kFirst, second)}) {
        subscription->pause(other, true);
        subscription->pause(served, false);
        const auto polled = subscription->poll({1, kAmple}, subject.soon());
        ASSERT_TRUE(polled);
        ASSERT_EQ(polled->slices.size(), 1u);
        EXPECT_EQ(polled->slices[0].at, served);
    }
    subscription->pause(second, false);
    std::size_t of_second = 1;
    for (int i = 0; i < 3; ++i) {  // far fewer polls than the first partition alone would fill
        auto polled = subscription->poll({50, kAmple}, subject.soon());
        ASSERT_TRUE(polled);
        std::size_t count = 0;
        for (const Slice& slice : polled->slices) {
            count += slice.records.size();
            if (slice.at == second) of_second += slice.records.size();
        }
        EXPECT_LE(count, 50u);
    }
    EXPECT_EQ(of_second, 5u);
}

TEST_P(LogContract, TrimsNothingWithoutRetention) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    for (int i = 0; i < 50; ++i) subject.append_numbers(100);
    const LogTime far = subject.env().clock.wall() + std::chrono::hours(24 * 365);
    EXPECT_EQ(*subject.log().trim(kFirst, subject.end(), far), Offset(0));
}

TEST_P(LogContract, TrimsByTimeNeverAtOrAboveTheGivenOffset) {
    Subject subject(GetParam());
    TopicSpec spec = spec_of(kTopic);
    spec.retention_time = std::chrono::hours(1);
    subject.create(spec);
    for (int i = 0; i < 50; ++i) subject.append_numbers(100);
    const LogTime now = subject.env().clock.wall();
    EXPECT_EQ(*subject.log().trim(kFirst, subject.end(), now), Offset(0));
    const LogTime later = now + std::chrono::hours(2);
    EXPECT_EQ(*subject.log().trim(kFirst, Offset(0), later), Offset(0));

    const Offset before(subject.end().value() / 2);
    const auto start = subject.log().trim(kFirst, before, later);
    ASSERT_TRUE(start);
    EXPECT_GT(*start, Offset(0));
    EXPECT_LE(*start, before);
    for (int life = 0; life < 2; ++life) {
        EXPECT_EQ(subject.info().start, *start);
        EXPECT_EQ(subject.end(), Offset(5000));
        const auto gone = subject.log().read(kFirst, Offset(start->value() - 1), {});
        ASSERT_FALSE(gone);
        EXPECT_EQ(gone.error().code, Code::out_of_range);
        EXPECT_EQ(subject.read(*start)->records()[0].offset, *start);
        EXPECT_EQ(*subject.log().offset_at(kFirst, log_time(0)), *start);
        subject.reopen();
    }
    const auto subscription = subject.subscribe();
    ASSERT_TRUE(subscription->poll({}, subject.soon()));
    EXPECT_EQ(subscription->start(kFirst, Offset(0)).error().code, Code::out_of_range);
    ASSERT_TRUE(subscription->start(kFirst, *start));
    EXPECT_EQ(follow(subject, *subscription, 5000 - start->value()), numbers(start->value(), 5000));
}

TEST_P(LogContract, TellsAFollowerThatItsOffsetIsGone) {
    Subject subject(GetParam());
    TopicSpec spec = spec_of(kTopic);
    spec.retention_time = std::chrono::hours(1);
    subject.create(spec);
    subject.append_numbers(10);
    const auto subscription = subject.subscribe();
    ASSERT_TRUE(subscription->poll({}, subject.soon()));
    ASSERT_TRUE(subscription->start(kFirst, Offset(0)));
    for (int i = 0; i < 50; ++i) subject.append_numbers(100);
    const LogTime later = subject.env().clock.wall() + std::chrono::hours(2);
    ASSERT_GT(*subject.log().trim(kFirst, subject.end(), later), Offset(0));
    auto polled = subscription->poll({}, subject.soon());
    std::uint64_t next = 0;
    while (GetParam().reads_ahead && polled && next < subject.end().value()) {
        for (const Logged& record : records_of(*polled)) {
            ASSERT_EQ(record.offset, Offset(next));  // nothing is skipped
            ++next;
        }
        if (next < subject.end().value()) polled = subscription->poll({}, subject.soon());
    }
    if (next == subject.end().value()) return;  // all was at hand before
    ASSERT_FALSE(polled);
    EXPECT_EQ(polled.error().code, Code::out_of_range);
}

TEST_P(LogContract, TrimsBySizeDownToAtLeastWhatIsKept) {
    if (!GetParam().knows_bytes) GTEST_SKIP() << "the adapter leaves retention_bytes to its server";
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    for (int i = 0; i < 50; ++i) subject.append_numbers(100);
    const std::uint64_t bytes = subject.info().bytes;
    TopicSpec spec = spec_of(kTopic);
    spec.retention_bytes = bytes / 2;
    ASSERT_TRUE(subject.log().alter(spec));
    const auto start = subject.log().trim(kFirst, subject.end(), subject.env().clock.wall());
    ASSERT_TRUE(start);
    EXPECT_GT(*start, Offset(0));
    EXPECT_LT(subject.info().bytes, bytes);
    EXPECT_GE(subject.info().bytes, bytes / 2);
    EXPECT_EQ(*subject.log().trim(kFirst, subject.end(), subject.env().clock.wall()), *start);
}

TEST_P(LogContract, AnswersEveryAppendAtTheStop) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    AppendCollector collector(subject.env());
    const std::string value(1000, 'v');
    const std::vector<Record> records(20, text_record("k", value));
    for (std::uint64_t i = 0; i < 100; ++i) {
        subject.log().append(kFirst, records, i * 20, collector);
    }
    subject.log().stop(subject.soon());
    EXPECT_EQ(collector.size(), 2000u);
    for (const auto& [tag, result] : collector.results()) {
        EXPECT_TRUE(result) << result.error().text;
    }
    subject.log().append(kFirst, records, 5000, collector);
    ASSERT_TRUE(collector.wait_for(2020));
    EXPECT_EQ(collector.results().at(5000).error().code, Code::stopped);
    EXPECT_EQ(collector.results().at(5000).error().effect, Effect::none);
    subject.log().stop(subject.soon());
    EXPECT_EQ(subject.end(), Offset(2000));
    EXPECT_EQ(collector.repeated(), 0u);
}

TEST_P(LogContract, AnswersLateAppendsAtTheStopToo) {
    Subject subject(GetParam());
    subject.create(spec_of(kTopic));
    AppendCollector collector(subject.env());
    const std::string value(50000, 'v');
    const std::vector<Record> records(10, text_record("k", value));
    for (std::uint64_t i = 0; i < 40; ++i) {
        subject.log().append(kFirst, records, i * 10, collector);
    }
    subject.log().stop(subject.env().clock.mono());
    EXPECT_EQ(collector.size(), 400u);
    subject.reopen();
    std::uint64_t durable = 0;
    std::uint64_t possible = 0;
    for (const auto& [tag, result] : collector.results()) {
        if (result) ++durable;
        if (result || result.error().effect == Effect::unknown) ++possible;
    }
    EXPECT_GE(subject.end().value(), durable);
    EXPECT_LE(subject.end().value(), possible);
    EXPECT_EQ(collector.repeated(), 0u);
}

}  // namespace penstock::contract
