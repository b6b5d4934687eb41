// What happens to blocks that the disk refuses, and who gets the error: --after-write-error.
#include "tests/mounted/faulty_test.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <utility>

namespace partialfs::testing {
namespace {

using ::testing::HasSubstr;

class AfterWriteError : public Faulty {
  protected:
    void SetUp() override {
        Faulty::SetUp();
        if (IsSkipped()) {
            return;
        }
        first_ = open("file");
        second_ = open("file");
        ASSERT_EQ(::pwrite(first_, old_.data(), old_.size(), 0), 8192);
        ASSERT_EQ(error_of(::fsync(first_)), 0);
    }
    void TearDown() override {
        ::close(first_);
        ::close(second_);
        Faulty::TearDown();
    }
    void after(const std::string& how) {
        ASSERT_EQ(mount_->write_control("after-write-error", how), 0);
    }
    /// Writes new bytes and makes a commit fail to write them.
    void lose(const std::string& rule = "pwrite EIO") {
        ASSERT_EQ(::pwrite(first_, "new", 3, 4096), 3);
        mount_->set_faults(rule);
        EXPECT_EQ(commit(), EIO);
        mount_->set_faults("");
    }
    /// Bytes of the file that are lost and not healed, according to the ledger.
    [[nodiscard]] std::string lost() const {
        std::istringstream ledger(mount_->read_control("ledger"));
        std::string lost;
        for (std::string line; std::getline(ledger, line);) {
            if (line.contains(R"("kind":"refused","errno":5,)") &&
                line.contains(R"("healed_at":null)")) {
                const auto from = line.find("\"offset\"");
                lost += line.substr(from, line.find(",\"cleaned_by\"") - from) + ';';
            }
        }
        return lost;
    }

    /// Closes the first descriptor, and waits until the daemon has released the file: it then has
    /// no descriptor of it but the O_PATH one.
    void close_for_good() {
        ::close(std::exchange(first_, -1));
        const auto fds = "/proc/" + std::to_string(mount_->daemon()) + "/fd";
        EXPECT_TRUE(wait_until([&] {
            int open = 0;
            std::error_code ignored;
            for (const auto& entry : std::filesystem::directory_iterator(fds, ignored)) {
                const auto target = std::filesystem::read_symlink(entry, ignored);
                open += target == mount_->source() / "file" ? 1 : 0;
            }
            return open == 1;
        }));
    }

    const std::string old_ = std::string(8192, 'o');
    int first_ = -1;
    int second_ = -1;
};

TEST_F(AfterWriteError, KeepTriesAgainAndLosesNothing) {
    EXPECT_EQ(mount_->read_control("after-write-error"), "keep\n");
    lose();
    EXPECT_EQ(lost(), "");
    EXPECT_EQ(error_of(::fsync(first_)), EIO);
    EXPECT_EQ(error_of(::fsync(second_)), EIO);
    EXPECT_EQ(error_of(::fsync(first_)), 0);
    EXPECT_EQ(on_disk("file").substr(4096, 3), "new");
}

TEST_F(AfterWriteError, CleanTellsEachDescriptionOnceAtFsyncAndTheBytesAreLost) {
    after("clean");
    EXPECT_THAT(mount_->read_control("status"), HasSubstr(R"("after_write_error": "clean")"));
    lose();
    char read[3] = {};
    EXPECT_EQ(::pread(first_, read, 3, 4096), 3);
    EXPECT_EQ(std::string(read, 3), "new") << "still in memory";
    EXPECT_EQ(::pwrite(first_, "x", 1, 0), 1) << "write(2) tells nothing";
    EXPECT_EQ(error_of(::close(::dup(first_))), 0) << "nor does close(2)";
    EXPECT_EQ(error_of(::fsync(first_)), EIO);
    EXPECT_EQ(error_of(::fsync(first_)), 0) << "the next one succeeds";
    EXPECT_EQ(error_of(::fsync(second_)), EIO) << "each is told";
    EXPECT_EQ(error_of(::fsync(second_)), 0);
    EXPECT_EQ(lost(), "\"offset\":4096,\"length\":3;");
    EXPECT_EQ(mount_->write_control("evict", "file"), 0);
    EXPECT_EQ(::pread(first_, read, 3, 4096), 3);
    EXPECT_EQ(std::string(read, 3), "ooo") << "gone with the page";
    EXPECT_EQ(on_disk("file"), "x" + old_.substr(1));
    ASSERT_EQ(::pwrite(first_, "new", 3, 4096), 3);
    EXPECT_EQ(error_of(::fsync(first_)), 0);
    EXPECT_EQ(lost(), "") << "written again";
}

TEST_F(AfterWriteError, CleanOfMappedStores) {
    after("clean");
    auto* const map =
        static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, first_, 0));
    ASSERT_NE(map, MAP_FAILED);
    map[5000] = 'm';
    // For the writepage alone; blocks kept dirty are to be flushed later.
    mount_->set_faults("pwrite EIO count=1");
    EXPECT_EQ(error_of(::msync(map, 8192, MS_SYNC)), EIO);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::msync(map, 8192, MS_SYNC)), 0);
    EXPECT_EQ(lost(), "\"offset\":5000,\"length\":1;");
    EXPECT_EQ(on_disk("file"), old_);
    map[5001] = 'm';
    EXPECT_EQ(error_of(::msync(map, 8192, MS_SYNC)), 0);
    EXPECT_EQ(lost(), "") << "the page was still in memory, and is written whole";
    EXPECT_EQ(on_disk("file").substr(5000, 2), "mm");
    ::munmap(map, 8192);
}

TEST_F(AfterWriteError, CleanLosesTheBytesAtTheEndAsZeros) {
    after("clean");
    ASSERT_EQ(::pwrite(first_, "end", 3, 8192), 3);
    mount_->set_faults("pwrite EIO");
    EXPECT_EQ(error_of(::fsync(first_)), EIO);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(first_)), 0);
    EXPECT_EQ(lost(), "\"offset\":8192,\"length\":3;");
    EXPECT_EQ(on_disk("file"), old_ + std::string(3, '\0'));
}

TEST_F(AfterWriteError, CleanGoesOnWithWhatTheDiskTakes) {
    after("clean");
    ASSERT_EQ(::pwrite(first_, "ONE", 3, 0), 3);
    ASSERT_EQ(::pwrite(first_, "TWO", 3, 4096), 3);
    mount_->set_faults("pwrite EIO offset=0+4096");
    EXPECT_EQ(error_of(::fsync(first_)), EIO);
    EXPECT_EQ(lost(), "\"offset\":0,\"length\":3;");
    EXPECT_EQ(on_disk("file").substr(4096, 3), "TWO");
}

TEST_F(AfterWriteError, CleanOfAFailedSyncHasAllThatWasNotSynced) {
    after("clean");
    lose("fdatasync EIO\nfsync EIO");
    EXPECT_EQ(error_of(::fsync(first_)), EIO);
    EXPECT_EQ(error_of(::fsync(first_)), 0);
    EXPECT_EQ(lost(), "\"offset\":4096,\"length\":3;");
}

TEST_F(AfterWriteError, ForgetTellsTheFirstWhoAsks) {
    after("forget");
    lose();
    EXPECT_EQ(error_of(::fsync(second_)), EIO) << "who has written nothing";
    EXPECT_EQ(error_of(::fsync(first_)), 0) << "and who has written is not told";
    EXPECT_EQ(lost(), "\"offset\":4096,\"length\":3;");
    EXPECT_EQ(on_disk("file"), old_);
}

TEST_F(AfterWriteError, ForgetTellsALateOpenerOrNobody) {
    after("forget");
    lose();
    ::close(std::exchange(first_, -1));
    ::close(std::exchange(second_, -1));
    first_ = open("file", O_RDWR);
    EXPECT_EQ(error_of(::fsync(first_)), EIO) << "a flag of the inode";
    lose();
    close_for_good();
    EXPECT_EQ(mount_->write_control("evict", "file"), 0);
    first_ = open("file", O_RDWR);
    EXPECT_EQ(error_of(::fsync(first_)), 0) << "which has left memory";
    EXPECT_NE(lost(), "");
}

TEST_F(AfterWriteError, WantOfMemoryLosesNothing) {
    after("clean");
    ASSERT_EQ(::pwrite(first_, "new", 3, 4096), 3);
    mount_->set_faults("pwrite bad_alloc");
    EXPECT_EQ(commit(), ENOMEM);
    mount_->set_faults("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(on_disk("file").substr(4096, 3), "new");
    EXPECT_EQ(mount_->write_control("after-write-error", "nonsense"), EINVAL);
}

} // namespace
} // namespace partialfs::testing
