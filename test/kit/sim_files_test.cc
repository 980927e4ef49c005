#include "test/kit/sim_files.h"

#include <gtest/gtest.h>

#include "test/kit/seed.h"
#include "test/kit/seeded_random.h"

namespace penstock::test {
namespace {

std::string content(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return "<none>";
    std::string text((*file)->size().value(), '\0');
    (void)(*file)->read(0, std::as_writable_bytes(std::span(text)));
    return text;
}

std::unique_ptr<File> make(FileSystem& files, const std::string& path, std::string_view text) {
    auto file = files.open(path, OpenMode::create);
    EXPECT_TRUE(file);
    EXPECT_TRUE((*file)->write(0, as_bytes(text)));
    return std::move(*file);
}

TEST(SimFiles, KeepsWhatWasSyncedWithItsName) {
    SimFiles files;
    ASSERT_TRUE(files.make_directory("/d"));
    const auto file = make(files, "/d/a", "old");
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(files.sync_directory("/d"));
    ASSERT_TRUE(file->write(0, as_bytes("new and longer")));
    EXPECT_EQ(content(files, "/d/a"), "new and longer");
    files.crash_keeping_nothing();
    EXPECT_EQ(content(files, "/d/a"), "old");
}

TEST(SimFiles, LosesANameThatWasNotSynced) {
    SimFiles files;
    ASSERT_TRUE(make(files, "/a", "text")->sync());
    ASSERT_TRUE(files.sync_directory("/"));
    ASSERT_TRUE(make(files, "/b", "text")->sync());
    ASSERT_TRUE(files.rename("/a", "/c"));
    files.crash_keeping_nothing();
    EXPECT_EQ(content(files, "/a"), "text");
    EXPECT_FALSE(files.exists("/b"));
    EXPECT_FALSE(files.exists("/c"));
}

TEST(SimFiles, KeepsChosenSectorsOnly) {
    SimFiles files;
    const auto file = make(files, "/a", std::string(4 * kSectorBytes, 'a'));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(files.sync_directory("/"));
    ASSERT_TRUE(file->write(0, as_bytes(std::string(4 * kSectorBytes, 'b'))));
    EXPECT_EQ(files.unsynced().size(), 4u);
    files.crash_keeping([](const Unsynced& one) { return one.index == 2; });
    const std::string text = content(files, "/a");
    EXPECT_EQ(text, std::string(2 * kSectorBytes, 'a') + std::string(kSectorBytes, 'b') +
                        std::string(kSectorBytes, 'a'));
}

TEST(SimFiles, LengthWithoutContentReadsAsZeros) {
    SimFiles files;
    const auto file = make(files, "/a", "x");
    ASSERT_TRUE(files.sync_directory("/"));
    files.crash_keeping([](const Unsynced& one) { return one.kind == Unsynced::Kind::length; });
    EXPECT_EQ(content(files, "/a"), std::string(1, '\0'));
}

TEST(SimFiles, FilesOfBeforeThePowerCutAnswerIo) {
    SimFiles files;
    const auto file = make(files, "/a", "x");
    const auto lock = files.lock("/lock");
    ASSERT_TRUE(lock);
    files.crash_keeping_all();
    EXPECT_EQ(file->write(0, as_bytes("y")).error().code, Code::io);
    EXPECT_EQ(file->sync().error().code, Code::io);
    EXPECT_TRUE(files.lock("/lock"));
    EXPECT_EQ(content(files, "/a"), "x");
}

TEST(SimFiles, InjectedFaultsHitTheKthOnceOrForEver) {
    SimFiles files;
    const auto file = make(files, "/a", "x");
    files.inject({DiskOp::sync, 2});
    EXPECT_TRUE(file->sync());
    EXPECT_FALSE(file->sync());
    EXPECT_TRUE(file->sync());
    files.clear_faults();
    files.inject({DiskOp::write, 1, true, Code::no_space, 2});
    EXPECT_EQ(file->write(0, as_bytes("abc")).error().code, Code::no_space);
    EXPECT_EQ(content(files, "/a"), "ab");
    EXPECT_FALSE(file->write(0, as_bytes("abc")));
    EXPECT_EQ(files.faults_hit(), 3u);
}

TEST(SimFiles, FullDiskTakesWhatFits) {
    SimFiles files;
    files.set_capacity(10);
    const auto file = make(files, "/a", "12345678");
    EXPECT_EQ(file->write(8, as_bytes("9abc")).error().code, Code::no_space);
    EXPECT_EQ(content(files, "/a"), "123456789a");
    EXPECT_EQ(files.free_bytes("/").value(), 0u);
}

TEST(SimFiles, LyingSyncLosesAll) {
    SimFiles files;
    files.lie(true);
    ASSERT_TRUE(make(files, "/a", "x")->sync());
    ASSERT_TRUE(files.sync_directory("/"));
    files.crash_keeping_nothing();
    EXPECT_FALSE(files.exists("/a"));
}

TEST(SimFiles, ReplayedTraceIsTheSameDisk) {
    Seed seed;
    SeededRandom random(seed.value());
    SimFiles files;
    const SimDisk start = files.snapshot();
    files.start_trace();
    std::string expected(3000, '\0');
    const auto file = make(files, "/a", expected);
    for (int i = 0; i < 50; ++i) {
        const std::size_t at = random.below(2900);
        const std::string text(random.below(100), static_cast<char>('a' + i % 26));
        ASSERT_TRUE(file->write(at, as_bytes(text)));
        expected.replace(at, text.size(), text);
        if (random.below(4) == 0) {
            ASSERT_TRUE(file->sync());
        }
    }
    ASSERT_TRUE(files.rename("/a", "/b"));
    SimDisk again = start;
    for (const DiskStep& step : files.trace()) SimFiles::replay(again, step);
    SimFiles copy(again);
    EXPECT_EQ(content(copy, "/b"), expected);
    EXPECT_EQ(copy.unsynced().size(), files.unsynced().size());
    copy.crash_keeping_nothing();
    EXPECT_FALSE(copy.exists("/b"));
    EXPECT_EQ(content(files, "/b"), expected);  // the copy shares nothing that it changes
}

}  // namespace
}  // namespace penstock::test
