// A partialfs mount for a test: temporary directories, and the daemon as a child process.
// Everything is removed afterwards, whatever happens.
#pragma once

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace partialfs::testing {

/// Why this process cannot mount a FUSE filesystem here (no /dev/fuse, no permission to mount), or
/// nothing if it can.
std::optional<std::string> why_mounting_is_impossible();

/// Skips the test, with the reason, where mounting is impossible.
#define SKIP_IF_MOUNTING_IS_IMPOSSIBLE()                                                           \
    do {                                                                                           \
        if (const auto reason = ::partialfs::testing::why_mounting_is_impossible()) {              \
            GTEST_SKIP() << *reason;                                                               \
        }                                                                                          \
    } while (false)

/// How a child process ended: its exit code, or 128 plus the signal that killed it.
struct Ended {
    int code = 0;
    std::string errors; ///< what it wrote to stderr
};

/// Runs a program to its end. `arguments[0]` is the program, found in PATH.
Ended run_program(const std::vector<std::string>& arguments,
                  const std::map<std::string, std::string>& environment = {});

/// Waits until `condition` holds. False if it does not within a minute, which is to fail the test.
bool wait_until(const std::function<bool()>& condition);

/// A temporary directory with `source` and `mountpoint` in it, and a daemon for them.
///
/// A helper process watches this one: when this process dies, however it does, the helper unmounts
/// everything and removes the directory.
class Mount {
  public:
    Mount();
    Mount(const Mount&) = delete;
    Mount& operator=(const Mount&) = delete;
    /// Ends the daemon, unmounts, and removes the directory.
    ~Mount();

    /// Starts the daemon in the foreground with `options` (allow_other is always added) and waits
    /// until the mount is there. Throws std::runtime_error with the daemon's message if the daemon
    /// ends.
    void start(std::vector<std::string> options = {},
               const std::map<std::string, std::string>& environment = {});
    /// Commands, with their options, that later starts run the daemon through, such as prlimit(1).
    void set_wrapper(std::vector<std::string> wrapper) { wrapper_ = std::move(wrapper); }
    /// Sends a signal and waits for the daemon's end.
    Ended stop(int signal = 15);
    /// umount(2) without flags, then waits for the daemon's end. Returns the errno of umount(2), or
    /// how the daemon ended.
    std::expected<Ended, int> unmount();
    /// Waits for the daemon to end by itself.
    Ended wait_for_end();
    /// Kills the daemon with SIGKILL, and unmounts the dead mount.
    void kill();

    [[nodiscard]] bool running() const { return daemon_ > 0; }
    [[nodiscard]] pid_t daemon() const { return daemon_; }
    [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }
    /// The plain directory underneath.
    [[nodiscard]] const std::filesystem::path& source() const { return source_; }
    [[nodiscard]] const std::filesystem::path& path() const { return mountpoint_; }
    /// What the daemon has written to stderr so far.
    [[nodiscard]] std::string errors() const;
    /// Writes to a file of the control directory. Returns 0 or the errno.
    [[nodiscard]] int write_control(const std::string& name, const std::string& text) const;
    [[nodiscard]] std::string read_control(const std::string& name) const;
    /// Replaces the fault rules, with immediate effect. Throws std::system_error if the daemon does
    /// not accept them.
    void set_faults(const std::string& rules) const;
    /// Mounts a tmpfs with these mount options at source(), for tests that fill it or unmount it.
    void put_source_on_tmpfs(const std::string& options);

  private:
    [[nodiscard]] bool is_mounted() const;
    void remove_mounts() const;

    std::filesystem::path temporary_;
    std::filesystem::path source_;
    std::filesystem::path mountpoint_;
    std::vector<std::string> wrapper_;
    pid_t daemon_ = -1;
    pid_t watcher_ = -1;
    int lifeline_ = -1; ///< the watcher's end is closed when this process dies
};

} // namespace partialfs::testing
