// Errors of the files underneath: each open file description gets them once, at its next write,
// fsync or close. What could not be written stays dirty and is written again later.
#include "tests/mounted/faulty_test.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

namespace partialfs::testing {
namespace {

class Errors : public Faulty {};

int number_of(std::string_view name) {
    return name == "EIO" ? EIO : name == "ENOSPC" ? ENOSPC : name == "EDQUOT" ? EDQUOT : EFBIG;
}

class EveryError : public Errors, public ::testing::WithParamInterface<const char*> {
  protected:
    /// From now on the disk refuses to write the file.
    void refuse() { mount_->set_faults("pwrite " + std::string(GetParam()) + " name=file"); }
    /// Writes "text" into the file, which the disk refuses to write from now on.
    void write_and_refuse(int fd) {
        ASSERT_EQ(::pwrite(fd, "text", 4, 0), 4);
        refuse();
    }

    const int expected_ = number_of(GetParam()); ///< the errno with which it refuses
};

INSTANTIATE_TEST_SUITE_P(Errno, EveryError, ::testing::Values("EIO", "ENOSPC", "EDQUOT", "EFBIG"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST_P(EveryError, OfACommitIsToldOnceToEachDescriptionAtFsync) {
    const int first = open("file");
    const int second = open("file");
    ASSERT_NO_FATAL_FAILURE(write_and_refuse(first));
    EXPECT_EQ(commit(), expected_);
    EXPECT_EQ(on_disk("file"), "");
    mount_->set_faults("");
    const int late = open("file");
    EXPECT_EQ(error_of(::fsync(first)), expected_);
    EXPECT_EQ(error_of(::fsync(first)), 0) << "told once";
    EXPECT_EQ(error_of(::fsync(second)), expected_) << "and to the other as well";
    EXPECT_EQ(error_of(::fsync(second)), 0);
    EXPECT_EQ(on_disk("file"), "text") << "tried again";
    EXPECT_EQ(error_of(::close(first)), 0);
    EXPECT_EQ(error_of(::close(second)), 0);
    ::close(late);
}

TEST_P(EveryError, OfAnFsyncIsItsOwnAndTheBlocksStayDirty) {
    const int fd = open("file");
    ASSERT_NO_FATAL_FAILURE(write_and_refuse(fd));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(error_of(::fsync(fd)), expected_) << "as long as it cannot be written";
    }
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), "text");
    EXPECT_EQ(error_of(::close(fd)), 0);
}

TEST_P(EveryError, OfACommitIsToldAtTheNextWrite) {
    const int fd = open("file");
    ASSERT_NO_FATAL_FAILURE(write_and_refuse(fd));
    EXPECT_EQ(commit(), expected_);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::pwrite(fd, "more", 4, 4)), expected_);
    EXPECT_EQ(error_of(::pwrite(fd, "more", 4, 4)), 0);
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), "textmore");
    ::close(fd);
}

TEST_P(EveryError, OfACommitIsToldAtClose) {
    const int fd = open("file");
    ASSERT_NO_FATAL_FAILURE(write_and_refuse(fd));
    EXPECT_EQ(commit(), expected_);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::close(fd)), expected_);
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(on_disk("file"), "text");
}

TEST_P(EveryError, OfAMappedStoresWritebackIsToldAtMsync) {
    const int fd = open("file");
    ASSERT_EQ(::ftruncate(fd, 4096), 0);
    ASSERT_EQ(::fsync(fd), 0);
    auto* map =
        static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    refuse();
    map[100] = 'x';
    EXPECT_EQ(error_of(::msync(map, 4096, MS_SYNC)), expected_);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::msync(map, 4096, MS_SYNC)), 0);
    EXPECT_EQ(on_disk("file")[100], 'x');
    ::munmap(map, 4096);
    ::close(fd);
}

TEST_F(Errors, OfFdatasyncIsToldAndTheDataIsWrittenAgain) {
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "text", 4, 0), 4);
    mount_->set_faults("fdatasync EIO name=file count=1\nfsync EIO name=file count=1");
    EXPECT_EQ(error_of(::fsync(fd)), EIO);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), "text");
    ::close(fd);
}

TEST_F(Errors, OfOneFileDoNotTouchAnother) {
    const int bad = open("bad");
    const int good = open("good");
    ASSERT_EQ(::pwrite(bad, "text", 4, 0), 4);
    ASSERT_EQ(::pwrite(good, "text", 4, 0), 4);
    mount_->set_faults("pwrite EIO name=bad");
    EXPECT_EQ(error_of(::fsync(good)), 0) << "its own data is safe";
    EXPECT_EQ(on_disk("good"), "text");
    EXPECT_EQ(on_disk("bad"), "");
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(bad)), EIO) << "the commit that the other's fsync made failed here";
    EXPECT_EQ(error_of(::fsync(bad)), 0);
    EXPECT_EQ(on_disk("bad"), "text");
    ::close(bad);
    ::close(good);
}

TEST_F(Errors, ReadsStillSeeWhatCouldNotBeWritten) {
    const int fd = open("file");
    const std::string text(20000, 't');
    ASSERT_EQ(::pwrite(fd, text.data(), text.size(), 0), 20000);
    mount_->set_faults("pwrite ENOSPC name=file");
    EXPECT_EQ(commit(), ENOSPC);
    std::string read(20000, '\0');
    EXPECT_EQ(::pread(fd, read.data(), read.size(), 0), 20000);
    EXPECT_EQ(read, text);
    struct stat status{};
    ASSERT_EQ(::fstat(fd, &status), 0);
    EXPECT_EQ(status.st_size, 20000);
    EXPECT_EQ(on_disk("file"), "") << "no size that covers bytes never written";
    mount_->set_faults("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(on_disk("file"), text);
    ::close(fd);
}

class LittleRoom : public Errors {
  protected:
    LittleRoom() { dirty_limit_ = "64K"; }
    [[nodiscard]] std::size_t refused_in_ledger() const {
        std::ifstream ledger(mount_->path() / ".partialfs/ledger");
        std::string line;
        std::size_t lines = 0;
        while (std::getline(ledger, line)) {
            lines += line.contains(R"("kind":"refused")") && line.contains(R"("healed_at":null)");
        }
        return lines;
    }
};

TEST_F(LittleRoom, StoresThatTheDiskRefusesAndMemoryCannotKeepStandInTheLedger) {
    constexpr std::size_t kSize = std::size_t{1} << 20U;
    const int fd = open("file");
    ASSERT_EQ(::ftruncate(fd, kSize), 0);
    void* const memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(memory, MAP_FAILED);
    std::memset(memory, 'a', kSize);
    mount_->set_faults("pwrite ENOSPC name=file");
    EXPECT_EQ(error_of(::msync(memory, kSize, MS_SYNC)), ENOSPC);
    EXPECT_EQ(error_of(::fsync(fd)), ENOSPC)
        << "of what was kept, which is no error of the kernel's";
    EXPECT_GT(refused_in_ledger(), 0U);
    mount_->set_faults("");
    std::memset(memory, 'b', kSize);
    EXPECT_EQ(error_of(::msync(memory, kSize, MS_SYNC)), 0);
    EXPECT_EQ(refused_in_ledger(), 0U) << "written since";
    EXPECT_EQ(on_disk("file"), std::string(kSize, 'b'));
    ::munmap(memory, kSize);
    ::close(fd);
}

TEST_F(Errors, OfTheLastCommitAreTheExitCode) {
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "text", 4, 0), 4);
    mount_->set_faults("pwrite EIO name=file");
    ::close(fd);
    const Ended ended = mount_->stop();
    EXPECT_NE(ended.code, 0);
    EXPECT_NE(ended.errors.find("Input/output error"), std::string::npos) << ended.errors;
}

TEST_F(Errors, OfReadingReachTheReader) {
    std::ofstream(mount_->source() / "file") << std::string(10000, 't');
    mount_->set_faults("pread EIO name=file count=1");
    const int fd = open("file", O_RDONLY | O_DIRECT);
    std::string read(4096, '\0');
    EXPECT_EQ(error_of(::pread(fd, read.data(), read.size(), 0)), EIO);
    EXPECT_EQ(::pread(fd, read.data(), read.size(), 0), 4096);
    ::close(fd);
}

TEST_F(Errors, ShortWritesAreCompleted) {
    mount_->set_faults("pwrite short=700");
    const int fd = open("file");
    std::string text;
    for (int i = 0; text.size() < 100000; ++i) {
        text += std::to_string(i) + " ";
    }
    ASSERT_EQ(::pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), text);
    ::close(fd);
}

TEST_F(Errors, ASlowSyncHoldsNobodyUpButWhoAskedForIt) {
    const int slow = open("slow");
    ASSERT_EQ(::pwrite(slow, "text", 4, 0), 4);
    mount_->set_faults("fdatasync delay=3s name=slow count=1\nfsync delay=3s name=slow count=1");
    std::atomic<bool> synced = false;
    std::thread syncing([&] {
        EXPECT_EQ(error_of(::fsync(slow)), 0);
        synced = true;
    });
    // The bytes are on disk once the commit is waiting in its sync.
    EXPECT_TRUE(wait_until([&] { return on_disk("slow") == "text" || synced; }));
    int done_meanwhile = 0;
    for (; done_meanwhile < 100 && !synced; ++done_meanwhile) {
        const int fd = open("other");
        EXPECT_EQ(::pwrite(fd, "text", 4, done_meanwhile), 4);
        std::string read(4, '\0');
        EXPECT_EQ(::pread(fd, read.data(), 4, done_meanwhile), 4);
        ::close(fd);
    }
    EXPECT_GT(done_meanwhile, 0);
    syncing.join();
    ::close(slow);
}

TEST_F(Errors, AFullDiskIsToldAndOnceThereIsRoomEverythingIsWritten) {
    mount_->stop();
    mount_->put_source_on_tmpfs("size=1m");
    mount_->start({"--contract=linux-2.6.20", "--commit-interval=0"});
    const int ballast = open("ballast");
    const std::string half(600 << 10, 'b');
    ASSERT_EQ(::pwrite(ballast, half.data(), half.size(), 0), static_cast<ssize_t>(half.size()));
    ASSERT_EQ(error_of(::fsync(ballast)), 0);
    ::close(ballast);
    const int fd = open("file");
    const std::string text(700 << 10, 't');
    // As on the filesystem itself: writes as much as there is room for, then the error; nothing is
    // accepted that the disk has no room for.
    const ssize_t taken = ::pwrite(fd, text.data(), text.size(), 0);
    ASSERT_GT(taken, 0);
    ASSERT_LT(taken, static_cast<ssize_t>(text.size()));
    EXPECT_EQ(error_of(::pwrite(fd, text.data(), text.size(), taken)), ENOSPC);
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), text.substr(0, static_cast<std::size_t>(taken)));
    ASSERT_EQ(::unlink((mount_->path() / "ballast").c_str()), 0);
    // The backing filesystem frees the space once the daemon has closed the file.
    EXPECT_TRUE(wait_until([&] {
        return ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    }));
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    EXPECT_EQ(on_disk("file"), text);
    ::close(fd);
}

TEST_F(Errors, AVanishedSourceIsAnErrorNotADeath) {
    std::ofstream(mount_->source() / "d");
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "text", 4, 0), 4);
    std::filesystem::remove_all(mount_->source());
    EXPECT_EQ(error_of(::mkdir((mount_->path() / "new").c_str(), 0755)), ENOENT);
    EXPECT_EQ(error_of(::open((mount_->path() / "d").c_str(), O_RDONLY)), ENOENT);
    EXPECT_EQ(error_of(::fsync(fd)), 0) << "the open file is still there, without a name";
    ::close(fd);
}

} // namespace
} // namespace partialfs::testing
