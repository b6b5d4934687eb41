// A FileIo that fails, or is slow, or writes short, as told: for tests.
//
// Rules are text, one a line:
//
//     OPERATION ACTION... [name=GLOB] [after=N] [count=N]
//
//     pwrite ENOSPC                      every pwrite fails with ENOSPC
//     fdatasync EIO name=*.db count=1    the next fdatasync of a file whose name matches fails
//     pwrite short=512                   a pwrite writes no more than 512 bytes
//     fdatasync delay=200ms              an fdatasync takes 200 ms longer
//     any EIO after=3                    the first three operations pass
//     pread bad_alloc                    a pread throws, as if there were no memory
//
// OPERATION is a function of FileIo (pread, pwrite, fdatasync, fsync, syncfs, ftruncate,
// fallocate, futimens) or `any`; an errno is given by its symbol. `after` and `count` count the
// operations that the rule matches. The first rule that matches and is not used up acts. Empty
// lines and lines that begin with # mean nothing.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/base/mutex.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::backing {

enum class IoOperation : std::uint8_t {
    pread,
    pwrite,
    fdatasync,
    fsync,
    syncfs,
    ftruncate,
    fallocate,
    futimens,
};

struct FaultRule {
    std::optional<IoOperation> operation; ///< nothing: any
    std::optional<base::Errno> error;     ///< the operation fails with it, and does nothing else
    bool out_of_memory = false;           ///< the operation throws std::bad_alloc instead
    std::optional<std::size_t> at_most;   ///< a pwrite or pread moves no more bytes than this
    std::chrono::milliseconds delay{0};
    std::string name = "*"; ///< fnmatch(3) pattern for the last part of the file's path
    std::uint64_t after = 0;
    std::uint64_t count = UINT64_MAX;

    bool operator==(const FaultRule&) const = default;
};

/// The rules in `text`, or a message that names the line that is wrong and what is wrong with it.
std::expected<std::vector<FaultRule>, std::string> parse_fault_rules(std::string_view text);

class FaultyIo final : public FileIo {
  public:
    FaultyIo() = default;
    /// Reads the rules from `file`, anew whenever its modification time, size or inode changes; a
    /// file that is missing has no rules. A file that cannot be understood fails every operation
    /// with EINVAL, so that a test notices, and `complain` gets a line that says why. It is called
    /// with a lock held, on the thread of the operation.
    explicit FaultyIo(
        std::filesystem::path file,
        std::function<void(const std::string&)> complain = [](const std::string&) {})
        : rules_file_(std::move(file)), complain_(std::move(complain)) {}

    /// Replaces all rules; counting begins anew.
    void set_rules(std::vector<FaultRule> rules);
    /// How many operations a rule has acted on.
    [[nodiscard]] std::uint64_t injected() const;

    [[nodiscard]] bool may_read_directly() const override { return false; }
    ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override;
    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override;
    int fdatasync(int fd) override;
    int fsync(int fd) override;
    int syncfs(int fd) override;
    int ftruncate(int fd, off_t size) override;
    int fallocate(int fd, int mode, off_t offset, off_t length) override;
    int futimens(int fd, const timespec times[2]) override;

  private:
    struct ActiveRule {
        FaultRule rule;
        std::uint64_t matched = 0;
    };
    struct FileVersion {
        std::uint64_t inode = 0;
        std::int64_t size = -1;
        std::int64_t seconds = 0;
        std::int64_t nanoseconds = 0;
        bool operator==(const FileVersion&) const = default;
    };

    /// Waits as long as a rule says, then: what the rule says of this operation; a rule that does
    /// nothing if there is none.
    FaultRule consult(IoOperation operation, int fd);
    void reload_if_changed() REQUIRES(mutex_);
    /// `call()`, unless a rule makes the operation fail: then -1, with errno set.
    template <typename Call>
    int guarded(IoOperation operation, int fd, Call call);

    std::filesystem::path rules_file_;
    std::function<void(const std::string&)> complain_;
    mutable base::Mutex mutex_; ///< a leaf: nothing is locked inside it
    std::vector<ActiveRule> rules_ GUARDED_BY(mutex_);
    FileVersion version_ GUARDED_BY(mutex_);
    bool file_is_bad_ GUARDED_BY(mutex_) = false;
    std::uint64_t injected_ GUARDED_BY(mutex_) = 0;
};

} // namespace partialfs::backing
