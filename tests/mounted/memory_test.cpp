// The daemon runs out of memory: requests that need more fail with ENOMEM, and the daemon goes on.
#include "tests/mounted/faulty_test.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace partialfs::testing {
namespace {

class Memory : public Faulty {
  protected:
    Memory() { dirty_limit_ = "1G"; }
};

TEST_F(Memory, ItsWantInARequestIsAnsweredAndNoMore) {
    std::ofstream(mount_->source() / "file") << std::string(10000, 't');
    const int fd = open("file", O_RDWR | O_DIRECT);
    std::string memory(4096, '\0');
    mount_->set_faults("any bad_alloc");
    EXPECT_EQ(error_of(::pread(fd, memory.data(), memory.size(), 0)), ENOMEM);
    EXPECT_EQ(error_of(::ftruncate(fd, 5)), ENOMEM);
    EXPECT_EQ(error_of(::fallocate(fd, 0, 0, 20000)), ENOMEM);
    const int directory = open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(error_of(::fsync(directory)), ENOMEM);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(directory)), 0);
    EXPECT_EQ(::pread(fd, memory.data(), memory.size(), 0), 4096);
    EXPECT_EQ(error_of(::ftruncate(fd, 5)), 0);
    EXPECT_EQ(on_disk("file"), "ttttt");
    ::close(directory);
    ::close(fd);
}

TEST_F(Memory, ItsWantInACommitIsToldAndTheOtherFilesAreWritten) {
    const int bad = open("bad");
    const int good = open("good");
    ASSERT_EQ(::pwrite(bad, "text", 4, 0), 4);
    ASSERT_EQ(::pwrite(good, "text", 4, 0), 4);
    mount_->set_faults("any bad_alloc name=bad");
    EXPECT_EQ(commit(), ENOMEM);
    EXPECT_EQ(on_disk("good"), "text");
    EXPECT_EQ(error_of(::fsync(bad)), ENOMEM);
    EXPECT_EQ(error_of(::fsync(good)), 0);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(bad)), 0);
    EXPECT_EQ(on_disk("bad"), "text");
    ::close(bad);
    ::close(good);
}

TEST_F(Memory, ItsWantInARenameLeavesTheNames) {
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "text", 4, 0), 4);
    const std::string from = mount_->path() / "file";
    const std::string to = mount_->path() / "renamed";
    mount_->set_faults("pwrite bad_alloc");
    EXPECT_EQ(error_of(::rename(from.c_str(), to.c_str())), ENOMEM);
    EXPECT_EQ(::access(from.c_str(), F_OK), 0);
    mount_->set_faults("");
    EXPECT_EQ(error_of(::fsync(fd)), ENOMEM) << "told once";
    EXPECT_EQ(error_of(::rename(from.c_str(), to.c_str())), 0);
    EXPECT_EQ(on_disk("renamed"), "text");
    ::close(fd);
}

TEST_F(Memory, ItsWantInTheLastCommitIsTheExitCode) {
    const int fd = open("file");
    ASSERT_EQ(::pwrite(fd, "text", 4, 0), 4);
    ::close(fd);
    mount_->set_faults("pwrite bad_alloc");
    const Ended ended = mount_->stop();
    EXPECT_EQ(ended.code, 1);
    EXPECT_NE(ended.errors.find("Cannot allocate memory"), std::string::npos) << ended.errors;
}

TEST_F(Memory, WritersAreToldWhenTheDaemonMayHaveNoMore) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer's runtime needs address space without a limit";
#endif
    constexpr std::size_t kPiece = std::size_t{1} << 20U;
    // Less than the amount that begins a commit, and more than the address space that malloc may
    // hold for a moment when the daemon is measured: a new arena reserves 128 MiB.
    constexpr off_t kPieces = 200;
    std::ifstream statm("/proc/" + std::to_string(mount_->daemon()) + "/statm");
    rlim_t pages = 0;
    ASSERT_TRUE(statm >> pages);
    const rlim_t allowed = pages * 4096 + 24 * kPiece;
    const rlimit little{allowed, RLIM_INFINITY};
    ASSERT_EQ(::prlimit(mount_->daemon(), RLIMIT_AS, &little, nullptr), 0);

    const int fd = open("file");
    std::vector<off_t> refused;
    const auto piece = [](off_t number) { return std::string(kPiece, static_cast<char>(number)); };
    for (off_t i = 0; i < kPieces; ++i) {
        const int error = error_of(::pwrite(fd, piece(i).data(), kPiece, i * off_t{kPiece}));
        if (error != 0) {
            EXPECT_EQ(error, ENOMEM);
            refused.push_back(i);
        }
    }
    EXPECT_GT(refused.size(), 0U);
    EXPECT_LT(refused.size(), kPieces);

    const rlimit plenty{RLIM_INFINITY, RLIM_INFINITY};
    ASSERT_EQ(::prlimit(mount_->daemon(), RLIMIT_AS, &plenty, nullptr), 0);
    for (const off_t i : refused) {
        EXPECT_EQ(::pwrite(fd, piece(i).data(), kPiece, i * off_t{kPiece}), off_t{kPiece});
    }
    EXPECT_EQ(error_of(::fsync(fd)), 0);
    const std::string disk = on_disk("file");
    ASSERT_EQ(disk.size(), kPieces * kPiece);
    for (off_t i = 0; i < kPieces; ++i) {
        EXPECT_TRUE(disk.compare(static_cast<std::size_t>(i) * kPiece, kPiece, piece(i)) == 0) << i;
    }
    ::close(fd);
}

} // namespace
} // namespace partialfs::testing
