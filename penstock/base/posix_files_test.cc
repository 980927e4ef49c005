#include "penstock/base/posix_files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/kit/temp_dir.h"

namespace penstock {
namespace {

class PosixFilesTest : public testing::Test {
protected:
    std::string at(const std::string& name) const { return directory_.path() + "/" + name; }
    std::unique_ptr<File> open(const std::string& name, OpenMode mode = OpenMode::create) {
        auto file = files_.open(at(name), mode);
        EXPECT_TRUE(file) << file.error().text;
        return file ? std::move(*file) : nullptr;
    }
    static std::string read(File& file, std::uint64_t offset, std::size_t size) {
        std::string text(size, '?');
        const auto done = file.read(offset, std::as_writable_bytes(std::span(text)));
        EXPECT_TRUE(done) << done.error().text;
        text.resize(*done);
        return text;
    }

    PosixFiles files_;
    const test::TempDir directory_;
};

TEST_F(PosixFilesTest, ReadsWhatWasWrittenAndLessOnlyAtTheEnd) {
    const auto file = open("a");
    ASSERT_TRUE(file->write(0, as_bytes("hello world")));
    EXPECT_EQ(read(*file, 0, 5), "hello");
    EXPECT_EQ(read(*file, 6, 100), "world");
    EXPECT_EQ(read(*file, 11, 1), "");
    EXPECT_EQ(read(*file, 1000, 1), "");
    EXPECT_EQ(*file->size(), 11U);
    EXPECT_TRUE(file->sync());
}

TEST_F(PosixFilesTest, WritesBeyondTheEndLeaveZerosAndTruncateCutsAndGrows) {
    const auto file = open("a");
    ASSERT_TRUE(file->write(4, as_bytes("x")));
    EXPECT_EQ(read(*file, 0, 10), std::string("\0\0\0\0x", 5));
    ASSERT_TRUE(file->truncate(2));
    EXPECT_EQ(*file->size(), 2U);
    ASSERT_TRUE(file->truncate(3));
    EXPECT_EQ(read(*file, 0, 10), std::string(3, '\0'));
}

TEST_F(PosixFilesTest, CreateKeepsWhatIsThereAndTheOtherModesWantAFile) {
    ASSERT_TRUE(open("a")->write(0, as_bytes("kept")));
    EXPECT_EQ(read(*open("a"), 0, 10), "kept");
    EXPECT_EQ(read(*open("a", OpenMode::read), 0, 10), "kept");
    for (const OpenMode mode : {OpenMode::read, OpenMode::read_write}) {
        const auto missing = files_.open(at("b"), mode);
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().code, Code::not_found);
        EXPECT_NE(missing.error().text.find(at("b")), std::string::npos);
    }
    EXPECT_FALSE(files_.exists(at("b")));
}

TEST_F(PosixFilesTest, SaysWhatFailed) {
    ASSERT_TRUE(open("a")->write(0, as_bytes("x")));
    EXPECT_EQ(open("a", OpenMode::read)->write(0, as_bytes("y")).error().code, Code::io);
    EXPECT_EQ(files_.open(directory_.path(), OpenMode::read_write).error().code, Code::io);
    const auto full = files_.open("/dev/full", OpenMode::read_write);
    ASSERT_TRUE(full);
    EXPECT_EQ((*full)->write(0, as_bytes("x")).error().code, Code::no_space);
    EXPECT_EQ(files_.list(at("none")).error().code, Code::not_found);
    EXPECT_EQ(files_.remove(at("none")).error().code, Code::not_found);
    EXPECT_EQ(files_.rename(at("none"), at("b")).error().code, Code::not_found);
    EXPECT_EQ(files_.sync_directory(at("none")).error().code, Code::not_found);
    EXPECT_EQ(files_.free_bytes(at("none")).error().code, Code::not_found);
    EXPECT_EQ(files_.lock(at("none/lock")).error().code, Code::not_found);
    EXPECT_EQ(files_.make_directory(at("a")).error().code, Code::invalid) << "a is a file";
    EXPECT_EQ(files_.make_directory(at("a/b")).error().code, Code::invalid);
}

TEST_F(PosixFilesTest, ListsNamesInOrderAndRemovesFilesAndEmptyDirectories) {
    for (const std::string name : {"b", "a", "c"}) open(name);
    ASSERT_TRUE(files_.make_directory(at("d")));
    EXPECT_EQ(*files_.list(directory_.path()), (std::vector<std::string>{"a", "b", "c", "d"}));
    ASSERT_TRUE(files_.rename(at("a"), at("c")));
    ASSERT_TRUE(files_.remove(at("d")));
    EXPECT_EQ(*files_.list(directory_.path()), (std::vector<std::string>{"b", "c"}));
}

TEST_F(PosixFilesTest, MakesADirectoryWithItsParentsAndDoesNotMindIfItIsThere) {
    ASSERT_TRUE(files_.make_directory(at("x/y/z")));
    ASSERT_TRUE(files_.make_directory(at("x/y/z")));
    ASSERT_TRUE(files_.make_directory(at("v/w/")));
    EXPECT_TRUE(files_.exists(at("x/y/z")));
    EXPECT_TRUE(files_.exists(at("v/w")));
    EXPECT_TRUE(files_.sync_directory(at("x/y")));
    EXPECT_GT(*files_.free_bytes(at("x")), 0U);
    EXPECT_FALSE(files_.remove(at("x"))) << "not empty";
}

TEST_F(PosixFilesTest, ALockIsHeldOnceUntilItsHolderIsGone) {
    auto held = files_.lock(at("lock"));
    ASSERT_TRUE(held);
    const auto second = files_.lock(at("lock"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::in_use);
    held = error(Code::stopped, "");
    EXPECT_TRUE(files_.lock(at("lock")));
}

TEST_F(PosixFilesTest, ALockKeepsOtherProcessesOutAndDiesWithItsProcess) {
    int ready[2];
    int stay[2];
    ASSERT_EQ(pipe(ready), 0);
    ASSERT_EQ(pipe(stay), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::close(stay[1]);
        const auto held = files_.lock(at("lock"));
        char byte = held.ok() ? 'y' : 'n';
        if (::write(ready[1], &byte, 1) != 1) _exit(1);
        _exit(::read(stay[0], &byte, 1) == 0 ? 0 : 1);
    }
    ::close(stay[0]);
    char answer = 0;
    ASSERT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    EXPECT_EQ(files_.lock(at("lock")).error().code, Code::in_use);
    ::close(stay[1]);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(files_.lock(at("lock")));
    ::close(ready[0]);
    ::close(ready[1]);
}

}  // namespace
}  // namespace penstock
