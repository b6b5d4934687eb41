// A sequence of file operations whose results are logged, so that two directories can be compared:
// the mount must answer as a plain directory does.
#pragma once

#include "tests/mounted/mount.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::testing {

/// "ENOENT" for 2 and so on; "errno N" for one without a name.
std::string errno_name(int number);

/// Operations below one directory. Each logs one line: the operation, and its result or errno.
class Script {
  public:
    explicit Script(std::filesystem::path base) : base_(std::move(base)) {}

    /// The absolute path of a name below the directory.
    [[nodiscard]] std::string at(std::string_view name) const;
    /// Logs the result of a system call: the value, or the errno if it is negative. Returns the
    /// value.
    long call(std::string_view what, long result);
    void note(std::string line) { log_.push_back(std::move(line)); }

    /// open(2) of a name. Returns the descriptor, or -1. It is closed when the script ends.
    int open(std::string_view name, int flags, mode_t mode = 0644);
    void close(int fd);
    void pwrite(int fd, std::string_view data, std::int64_t offset);
    /// Writes `length` bytes that depend on `seed` and on their position.
    void fill(int fd, std::int64_t offset, std::size_t length, unsigned seed);
    /// Reads, and logs a digest of the bytes.
    void pread(int fd, std::size_t length, std::int64_t offset);
    /// Logs a digest of the whole file.
    void contents(std::string_view name);
    /// Logs type, mode, owner, links, size and, if `blocks`, the blocks of a name itself.
    void stat(std::string_view name, bool blocks = false);
    void fstat(int fd);
    /// Logs the names and types in a directory, sorted by name.
    void list(std::string_view name);
    /// Logs everything below the directory: list() and stat() of each.
    void tree();

    [[nodiscard]] const std::vector<std::string>& log() const { return log_; }
    ~Script();
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;

  private:
    void describe(std::string_view what, const struct stat& status, bool blocks);

    std::filesystem::path base_;
    std::vector<std::string> log_;
    std::vector<int> open_;
};

/// A user to run as: fork, setgroups, setgid, setuid.
struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    mode_t umask = 022;
    std::vector<unsigned> without{};    ///< capabilities that the process gives up
    bool root_of_own_namespace = false; ///< of a user namespace in which uid and gid are 0
};
/// A user without any capabilities, in a group of his own and one more.
inline User ordinary_user() {
    return {.uid = 1001, .gid = 1001, .groups = {2001}, .umask = 022};
}

/// Runs `steps` in a child process as `user`, below `base`. Returns its log.
std::vector<std::string> run_as(const User& user, const std::filesystem::path& base,
                                const std::function<void(Script&)>& steps);

/// Runs `steps` in a fresh directory of the mount and in a fresh plain directory, and expects equal
/// logs. With a user, `prepare` runs first as root.
void expect_same(Mount& mount, const std::function<void(Script&)>& steps);
void expect_same_as(Mount& mount, const User& user, const std::function<void(Script&)>& prepare,
                    const std::function<void(Script&)>& steps);

} // namespace partialfs::testing
