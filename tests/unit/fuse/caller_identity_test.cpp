#include "fusefs/backing/object.hpp"
#include "fusefs/fuse/caller_identity.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace partialfs::fuse {
namespace {

using base::Fd;

class Identity : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) {
            GTEST_SKIP() << "not root: acting as another user needs CAP_SETUID";
        }
        directory_ = Fd::open(AT_FDCWD, temporary_.path().c_str(), O_PATH | O_DIRECTORY).value();
    }
    struct stat make(const std::string& name, mode_t mode) {
        Fd::open(directory_.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY, mode).value();
        return backing::open_object(directory_, name.c_str())->status;
    }

    testing::TemporaryDirectory temporary_;
    Fd directory_;
};

TEST_F(Identity, ObjectsBelongToTheCallerAndGetItsUmask) {
    // The directory is root's and closed to others: the daemon's capabilities must stay in effect.
    const CallerIdentity identity(1234, 5678, 027);
    const struct stat status = make("file", identity.masked(0666));
    EXPECT_EQ(status.st_uid, 1234U);
    EXPECT_EQ(status.st_gid, 5678U);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(Identity, ItEndsWithItsScope) {
    {
        const CallerIdentity identity(1234, 5678, 0);
    }
    EXPECT_EQ(::setfsuid(static_cast<uid_t>(-1)), static_cast<int>(::geteuid()));
    EXPECT_EQ(::setfsgid(static_cast<gid_t>(-1)), static_cast<int>(::getegid()));
    EXPECT_EQ(make("file", 0600).st_uid, ::geteuid());
}

TEST_F(Identity, ThreadsActAsDifferentCallersAtOnce) {
    constexpr int kFiles = 200;
    std::vector<std::thread> threads;
    for (unsigned user = 1; user <= 4; ++user) {
        threads.emplace_back([&, user] {
            for (int i = 0; i < kFiles; ++i) {
                const CallerIdentity identity(1000 + user, 2000 + user, user);
                const struct stat status =
                    make(std::to_string(user) + "." + std::to_string(i), identity.masked(0666));
                EXPECT_EQ(status.st_uid, 1000 + user);
                EXPECT_EQ(status.st_gid, 2000 + user);
                EXPECT_EQ(status.st_mode & 07777U, 0666U & ~user);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_F(Identity, TheGroupOfASetgidDirectoryIsInherited) {
    ASSERT_TRUE(backing::change_owner(directory_, 0, 4321));
    ASSERT_TRUE(backing::change_mode(directory_, 02777));
    const CallerIdentity identity(1234, 5678, 0);
    EXPECT_EQ(make("file", 0600).st_gid, 4321U);
}

} // namespace
} // namespace partialfs::fuse
