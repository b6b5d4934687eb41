// A run that is cut short, by a signal or with its filesystem, and verified afterwards: bytes that
// were synced must be there, others may be old or new, and verify mistakes neither.
#include "tests/mounted/mmapstress/loop_mount.hpp"
#include "tests/mounted/mount.hpp"
#include "tests/shell_command.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using partialfs::testing::LoopMount;
using partialfs::testing::Mount;
using partialfs::testing::Said;
using partialfs::testing::TemporaryDirectory;
using partialfs::testing::wait_until;

Said mmapstress(const std::string& arguments) {
    return partialfs::testing::said_by(MMAPSTRESS " " + arguments);
}

/// A run in the background, with more operations than it has time for.
class Running {
  public:
    Running(const fs::path& directory, const fs::path& report, const std::string& workload,
            const std::string& seed, std::vector<std::string> more = {})
        : progress_(report.string() + ".progress") {
        std::vector<std::string> words{MMAPSTRESS,   "run",      directory, "--workload",
                                       workload,     "--seed",   seed,      "--ops",
                                       "1000000000", "--report", report};
        words.insert(words.end(), more.begin(), more.end());
        pid_ = ::fork();
        if (pid_ == 0) {
            ::setpgid(0, 0); // its processes are stopped and killed together
            std::vector<char*> arguments;
            arguments.reserve(words.size() + 1);
            for (std::string& word : words) {
                arguments.push_back(word.data());
            }
            arguments.push_back(nullptr);
            ::execv(MMAPSTRESS, arguments.data());
            ::_exit(127);
        }
        ::setpgid(pid_, pid_);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { kill(); }

    /// Waits until it has reported `count` syncs.
    [[nodiscard]] bool has_synced(std::size_t count) const {
        return wait_until([&] {
            std::ifstream file(progress_);
            std::size_t done = 0;
            for (std::string line; std::getline(file, line);) {
                done += line.starts_with("done") ? 1U : 0U;
            }
            return done >= count;
        });
    }
    /// Sends SIGSTOP to all its processes, and waits until they have stopped.
    void stop() const {
        ::kill(-pid_, SIGSTOP);
        ::waitpid(pid_, nullptr, WUNTRACED);
        EXPECT_TRUE(wait_until([&] { return all_are_stopped(); }));
    }
    void kill() {
        if (pid_ > 0) {
            ::kill(-pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }

  private:
    [[nodiscard]] bool all_are_stopped() const {
        std::error_code gone; // a process may end meanwhile
        for (const auto& entry : fs::directory_iterator("/proc", gone)) {
            std::string stat;
            std::getline(std::ifstream(entry.path() / "stat"), stat);
            std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
            char state = 0;
            pid_t parent = 0;
            pid_t group = 0;
            if (fields >> state >> parent >> group && group == pid_ && state != 'T' &&
                state != 'Z') {
                return false;
            }
        }
        return true;
    }

    fs::path progress_;
    pid_t pid_ = -1;
};

/// A random number of syncs, the same for the same seed.
std::size_t some_syncs(unsigned seed) {
    std::mt19937 random(seed);
    return 1 + random() % 60;
}

class CutShort : public testing::TestWithParam<unsigned> {
  protected:
    /// Verifies once the last process of the run is gone, too: it may be in a system call.
    Said verified(const fs::path& directory) {
        Said said;
        EXPECT_TRUE(wait_until([&] {
            said = mmapstress("verify " + directory.string() + " " + report().string());
            return said.text.find("the run is still going on") == std::string::npos;
        }));
        return said;
    }
    [[nodiscard]] fs::path report() const { return outside_ / "report"; }

    TemporaryDirectory outside_;
};

TEST_P(CutShort, OnAPlainDirectoryNothingIsLost) {
    TemporaryDirectory directory;
    {
        Running running(directory.path(), report(), "mix", std::to_string(GetParam()));
        ASSERT_TRUE(running.has_synced(some_syncs(GetParam())));
    }
    const Said said = verified(directory.path());
    EXPECT_EQ(said.code, 0) << said.text;
    EXPECT_NE(said.text.find("had been synced and must be there"), std::string::npos) << said.text;
}

TEST_P(CutShort, OfSeveralWorkersToo) {
    TemporaryDirectory directory;
    {
        Running running(directory.path(), report(), "mix", std::to_string(GetParam()),
                        {"--threads", "2", "--processes", "2"});
        ASSERT_TRUE(running.has_synced(some_syncs(GetParam())));
    }
    const Said said = verified(directory.path());
    EXPECT_EQ(said.code, 0) << said.text;
}

TEST_P(CutShort, ASyncedByteThatIsSpoiltIsFound) {
    TemporaryDirectory directory;
    {
        Running running(directory.path(), report(), "mix", std::to_string(GetParam()));
        ASSERT_TRUE(running.has_synced(40 + some_syncs(GetParam())));
    }
    fs::path file;
    for (const auto& entry : fs::recursive_directory_iterator(directory.path())) {
        if (entry.path().filename() == "file0") {
            file = entry.path();
        }
    }
    {
        std::fstream spoilt(file, std::ios::in | std::ios::out | std::ios::binary);
        spoilt.seekp(5000);
        spoilt << std::string(100, '\1'); // no operation stores that: it would be of colour 0
    }
    const Said said = verified(directory.path());
    EXPECT_EQ(said.code, 1) << said.text;
    EXPECT_NE(said.text.find("DAMAGED"), std::string::npos) << said.text;
}

TEST_P(CutShort, PartialfsWithTheFixHasWhatWasSyncedWhenItsDaemonIsKilledToo) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    Mount mount;
    mount.start({"--contract", "linux-2.6.20", "--commit-interval", "20ms"});
    {
        Running running(mount.path(), report(), "mix", std::to_string(GetParam()));
        ASSERT_TRUE(running.has_synced(some_syncs(GetParam())));
        // The program's end must not write its pages back.
        running.stop();
        mount.kill();
    }
    const Said said = verified(mount.source());
    EXPECT_EQ(said.code, 0) << said.text;
}

TEST_P(CutShort, PartialfsWithoutTheFixHasLostWhatWasSynced) {
    SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
    Mount mount;
    mount.start({"--contract", "linux-2.6.19", "--commit-interval", "0"});
    {
        Running running(mount.path(), report(), "recipe", std::to_string(GetParam()));
        ASSERT_TRUE(running.has_synced(some_syncs(GetParam())));
        running.stop();
        mount.kill();
    }
    const Said said = verified(mount.source());
    EXPECT_EQ(said.code, 1) << said.text;
    EXPECT_NE(said.text.find("stale, from"), std::string::npos) << said.text;
}

TEST_P(CutShort, Ext4HasWhatWasSyncedWhenItIsShutDown) {
    LoopMount mount;
    if (const auto reason = mount.mount({"ext4", {"mkfs.ext4", "-q"}, 64}, "rw")) {
        GTEST_SKIP() << *reason;
    }
    {
        Running running(mount.path(), report(), "mix", std::to_string(GetParam()));
        ASSERT_TRUE(running.has_synced(some_syncs(GetParam())));
        running.stop();
        // As if the power failed: not even the journal is flushed (EXT4_IOC_SHUTDOWN).
        const int root = ::open(mount.path().c_str(), O_RDONLY | O_CLOEXEC);
        ASSERT_GE(root, 0);
        std::uint32_t without_log_flush = 2;
        const int shut = ::ioctl(root, _IOR('X', 125, std::uint32_t), &without_log_flush);
        ::close(root);
        ASSERT_EQ(shut, 0) << errno;
    }
    ASSERT_EQ(mount.remount(), std::nullopt);
    const Said said = verified(mount.path());
    EXPECT_EQ(said.code, 0) << said.text;
}

INSTANTIATE_TEST_SUITE_P(Seeds, CutShort, testing::Values(1U, 2U, 3U));

TEST(VerifyOfARunThatGoesOn, IsRefused) {
    TemporaryDirectory directory;
    TemporaryDirectory outside;
    const fs::path report = outside / "report";
    Running running(directory.path(), report, "mix", "1");
    ASSERT_TRUE(running.has_synced(1));
    const Said said = mmapstress("verify " + directory.path().string() + " " + report.string());
    EXPECT_EQ(said.code, 2);
    EXPECT_EQ(said.text, "mmapstress: " + report.string() + ": the run is still going on\n");
}

} // namespace
