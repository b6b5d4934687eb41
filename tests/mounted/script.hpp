// A sequence of file operations whose outcome is written down, so that two directories can be
// compared: what the mount answers must be what a plain directory answers.
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

/// Operations below one directory. Each writes one line: what was done, and its result or errno.
class Script {
  public:
    explicit Script(std::filesystem::path base) : base_(std::move(base)) {}

    /// The absolute path of a name below the directory.
    [[nodiscard]] std::string at(std::string_view name) const;
    /// Writes the result of a system call: the value, or the errno if it is negative.
    /// Returns the value.
    long call(std::string_view what, long result);
    void note(std::string line) { log_.push_back(std::move(line)); }

    /// open(2) of a name; the descriptor, or -1. It is closed when the script ends.
    int open(std::string_view name, int flags, mode_t mode = 0644);
    void close(int fd);
    void pwrite(int fd, std::string_view data, std::int64_t offset);
    /// Writes `length` bytes that depend on `seed` and on their position.
    void fill(int fd, std::int64_t offset, std::size_t length, unsigned seed);
    /// Reads and writes down a digest of the bytes.
    void pread(int fd, std::size_t length, std::int64_t offset);
    /// A digest of the whole file.
    void contents(std::string_view name);
    /// Type, mode, owner, links, size and, if `blocks`, the blocks of a name itself.
    void stat(std::string_view name, bool blocks = false);
    void fstat(int fd);
    /// Names and types in a directory, in order of name.
    void list(std::string_view name);
    /// Everything below the directory: list() and stat() of each.
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

/// A user to act as: fork, setgroups, setgid, setuid.
struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    mode_t umask = 022;
    std::vector<unsigned> without{};    ///< capabilities that the process gives up
    bool root_of_own_namespace = false; ///< of a user namespace in which uid and gid are 0
};
/// Somebody without any rights, in a group of his own and one more.
inline User ordinary_user() {
    return {.uid = 1001, .gid = 1001, .groups = {2001}, .umask = 022};
}

/// Runs `steps` in a child process that is `user`, below `base`; its log.
std::vector<std::string> run_as(const User& user, const std::filesystem::path& base,
                                const std::function<void(Script&)>& steps);

/// Runs `steps` in a fresh directory of the mount and in a fresh plain directory, and expects
/// equal logs. With a user, `prepare` is run before as root.
void expect_same(Mount& mount, const std::function<void(Script&)>& steps);
void expect_same_as(Mount& mount, const User& user, const std::function<void(Script&)>& prepare,
                    const std::function<void(Script&)>& steps);

} // namespace partialfs::testing
