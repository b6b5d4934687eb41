// Two daemons on one SOURCE: the second is refused, by whatever path it names SOURCE, or waits if
// the first is only making its last commit.
#include "tests/mounted/startup_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <sys/mount.h>

#include <csignal>

namespace partialfs::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class TwoDaemons : public Startup {
  protected:
    void SetUp() override {
        Startup::SetUp();
        if (IsSkipped()) {
            return;
        }
        fs::create_directory(second());
        fs::create_directory(source() + "/inside");
        mount_->start({"--contract=linux-2.6.20"});
    }
    [[nodiscard]] fs::path second() const { return mount_->temporary() / "second"; }
    void expect_second_refused(const fs::path& its_source) {
        expect_refused(
            {its_source, second()},
            {"is in use", "process " + std::to_string(mount_->daemon()), "'" + mountpoint() + "'"});
    }
};

TEST_F(TwoDaemons, TheSecondHearsOfTheFirst) {
    expect_second_refused(source());
    const std::string text = "still served";
    std::ofstream(mount_->path() / "file") << text;
    EXPECT_EQ(text_of(mount_->path() / "file"), text);
    EXPECT_EQ(mount_->stop().code, 0);
}

TEST_F(TwoDaemons, InsideAroundAndBySymlinkCountAsTheSame) {
    fs::create_directory_symlink(source(), mount_->temporary() / "link");
    for (const fs::path& its_source : {fs::path(source()) / "inside", mount_->temporary() / "link",
                                       mount_->temporary() / "link/inside"}) {
        expect_second_refused(its_source);
    }
    // The second SOURCE contains the first, and its mount point lies elsewhere.
    const TemporaryDirectory elsewhere;
    expect_refused({mount_->temporary(), elsewhere.path()},
                   {"contains", "process " + std::to_string(mount_->daemon())});
}

TEST_F(TwoDaemons, ABindMountCountsAsTheSame) {
    const fs::path bound = mount_->temporary() / "bound";
    fs::create_directory(bound);
    for (const std::string& original : {source(), source() + "/inside"}) {
        const Ended ended =
            run_program({"unshare", "--mount", "sh", "-c",
                         "mount --bind " + original + " " + bound.string() + " && exec " +
                             PARTIALFS_BINARY + " " + bound.string() + " " + second().string()});
        EXPECT_NE(ended.code, 0) << original;
        EXPECT_THAT(ended.errors, AllOf(HasSubstr("is in use"),
                                        HasSubstr("process " + std::to_string(mount_->daemon()))));
    }
}

TEST_F(TwoDaemons, AnotherUsersDaemonIsSeen) {
    fs::permissions(source(), fs::perms::all);
    fs::permissions(second(), fs::perms::all);
    const std::string message =
        run_as(User{.uid = 1001, .gid = 1001, .groups = {}}, mount_->temporary(), [&](Script& s) {
            s.note(run({source(), second()}).errors);
        }).front();
    EXPECT_THAT(message, AllOf(HasSubstr("is in use"),
                               HasSubstr("process " + std::to_string(mount_->daemon()))));
}

TEST_F(TwoDaemons, ACrashLeavesNothingBehind) {
    mount_->kill();
    mount_->start({"--contract=linux-2.6.20"});
    EXPECT_EQ(mount_->stop().code, 0);
}

TEST_F(TwoDaemons, TheLockSurvivesGoingToTheBackground) {
    mount_->stop();
    start_in_background();
    expect_refused({source(), second()}, {"is in use", "'" + mountpoint() + "'"});
    EXPECT_EQ(run({"--unmount", mountpoint()}).code, 0);
}

TEST_F(TwoDaemons, UmountAndMountWorkAtOnce) {
    mount_->stop();
    const std::string text(5'000'000, 't');
    for (int round = 0; round < 10; ++round) {
        start_in_background();
        const fs::path file = mount_->path() / ("file" + std::to_string(round));
        std::ofstream(file) << text;
        ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0) << errno;
    }
    start_in_background();
    for (int round = 0; round < 10; ++round) {
        EXPECT_EQ(text_of(mount_->path() / ("file" + std::to_string(round))), text) << round;
    }
    EXPECT_EQ(run({"--unmount", mountpoint()}).code, 0);
}

TEST_F(TwoDaemons, ALastCommitThatLastsIsWaitedForAndSaysSo) {
    mount_->stop();
    start_in_background();
    mount_->set_faults("fdatasync delay=500ms");
    std::ofstream(mount_->path() / "file") << "text";
    ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0);
    const Ended started = run({source(), mountpoint()});
    EXPECT_EQ(started.code, 0);
    EXPECT_THAT(started.errors, HasSubstr("waiting at most 60 s for the last commit"));
    EXPECT_EQ(text_of(mount_->path() / "file"), "text");
    EXPECT_EQ(run({"--unmount", mountpoint()}).code, 0);
}

} // namespace
} // namespace partialfs::testing
