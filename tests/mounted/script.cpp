#include "tests/mounted/script.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace partialfs::testing {
namespace {

namespace fs = std::filesystem;

std::string digest(const void* data, std::size_t length) {
    std::ostringstream text;
    text << std::hex << XXH3_64bits(data, length);
    return text.str();
}

std::string_view type_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "symlink";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    case S_IFCHR:
        return "character device";
    case S_IFBLK:
        return "block device";
    default:
        return "something";
    }
}

constexpr std::string_view kBlocks = " blocks ";
/// The block, in units of st_blocks, that ext4 allocates for a file's extent list if the four
/// extents in the inode are not enough. Whether it needs one depends on the order of the writes.
constexpr std::int64_t kListOfPlaces = 8;

/// Whether two lines are equal, ignoring one file's block for its extent list.
bool same(const std::string& line, const std::string& other) {
    const std::size_t at = line.rfind(kBlocks);
    if (line == other || at == std::string::npos || line.substr(0, at) != other.substr(0, at) ||
        other.rfind(kBlocks) != at) {
        return line == other;
    }
    const auto blocks = [&](const std::string& text) {
        return std::stoll(text.substr(at + kBlocks.size()));
    };
    return std::abs(blocks(line) - blocks(other)) == kListOfPlaces;
}

/// Expects equal logs, and prints the lines that differ.
void expect_equal(const std::vector<std::string>& on_mount,
                  const std::vector<std::string>& on_plain) {
    EXPECT_FALSE(on_plain.empty());
    for (std::size_t i = 0; i < std::max(on_mount.size(), on_plain.size()); ++i) {
        const std::string mounted = i < on_mount.size() ? on_mount[i] : "(nothing)";
        const std::string plain = i < on_plain.size() ? on_plain[i] : "(nothing)";
        EXPECT_TRUE(same(mounted, plain))
            << "step " << i << ", after: " << (i > 0 ? on_plain[i - 1] : "")
            << "\n  mounted: " << mounted << "\n  plain:   " << plain;
    }
}

/// A new empty directory of that name, with mode 0777.
fs::path fresh_directory(const fs::path& parent, const std::string& name) {
    const fs::path directory = parent / name;
    fs::create_directories(directory);
    fs::permissions(directory, fs::perms::all);
    return directory;
}

} // namespace

std::string errno_name(int number) {
    const char* name = ::strerrorname_np(number);
    return name == nullptr ? "errno " + std::to_string(number) : name;
}

Script::~Script() {
    for (const int fd : open_) {
        ::close(fd);
    }
}

std::string Script::at(std::string_view name) const {
    return name.empty() ? base_.string() : (base_ / name).string();
}

long Script::call(std::string_view what, long result) {
    const int error = errno;
    note(std::string(what) + " = " + (result < 0 ? errno_name(error) : std::to_string(result)));
    return result;
}

int Script::open(std::string_view name, int flags, mode_t mode) {
    const int fd = ::open(at(name).c_str(), flags | O_CLOEXEC, mode);
    std::ostringstream what;
    what << "open " << name << " 0" << std::oct << flags << " mode 0" << mode;
    call(what.str(), fd < 0 ? -1 : 0);
    if (fd >= 0) {
        open_.push_back(fd);
    }
    return fd;
}

void Script::close(int fd) {
    std::erase(open_, fd);
    call("close", ::close(fd));
}

void Script::pwrite(int fd, std::string_view data, std::int64_t offset) {
    call("pwrite of " + std::to_string(data.size()) + " at " + std::to_string(offset),
         ::pwrite(fd, data.data(), data.size(), offset));
}

void Script::fill(int fd, std::int64_t offset, std::size_t length, unsigned seed) {
    std::string data(length, '\0');
    std::uint64_t state = seed * 0x9E3779B97F4A7C15U + static_cast<std::uint64_t>(offset) + 1;
    for (char& byte : data) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        byte = static_cast<char>(state >> 56U);
    }
    pwrite(fd, data, offset);
}

void Script::pread(int fd, std::size_t length, std::int64_t offset) {
    std::string data(length, '\0');
    const ssize_t count = ::pread(fd, data.data(), length, offset);
    call("pread of " + std::to_string(length) + " at " + std::to_string(offset), count);
    if (count > 0) {
        note("  bytes " + digest(data.data(), static_cast<std::size_t>(count)));
    }
}

void Script::contents(std::string_view name) {
    struct stat status{};
    if (::stat(at(name).c_str(), &status) == 0 && status.st_size > (64 << 20)) {
        note("contents of " + std::string(name) + ": too large to read whole");
        return;
    }
    std::ostringstream bytes;
    std::ifstream stream(at(name), std::ios::binary);
    bytes << stream.rdbuf();
    const std::string text = bytes.str();
    note("contents of " + std::string(name) + ": " + std::to_string(text.size()) + " bytes " +
         digest(text.data(), text.size()));
}

void Script::describe(std::string_view what, const struct stat& status, bool blocks) {
    std::ostringstream line;
    line << what << ": " << type_of(status.st_mode) << " mode 0" << std::oct
         << (status.st_mode & 07777U) << std::dec << " owner " << status.st_uid << ":"
         << status.st_gid;
    if (!S_ISDIR(status.st_mode)) {
        line << " links " << status.st_nlink << " size " << status.st_size << " rdev "
             << status.st_rdev;
    } else {
        line << " links " << status.st_nlink;
    }
    if (blocks) {
        line << kBlocks << status.st_blocks;
    }
    note(line.str());
}

void Script::stat(std::string_view name, bool blocks) {
    struct stat status{};
    if (call("lstat " + std::string(name), ::lstat(at(name).c_str(), &status)) == 0) {
        describe(name, status, blocks);
    }
}

void Script::fstat(int fd) {
    struct stat status{};
    if (call("fstat", ::fstat(fd, &status)) == 0) {
        describe("fstat", status, false);
    }
}

void Script::list(std::string_view name) {
    DIR* directory = ::opendir(at(name).c_str());
    call("opendir " + std::string(name), directory == nullptr ? -1 : 0);
    if (directory == nullptr) {
        return;
    }
    std::map<std::string, int> entries;
    while (const dirent* entry = ::readdir(directory)) {
        entries[entry->d_name] = entry->d_type;
    }
    ::closedir(directory);
    for (const auto& [entry, type] : entries) {
        note("  " + entry + " type " + std::to_string(type));
    }
}

void Script::tree() {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::recursive_directory_iterator
             entry(base_, fs::directory_options::skip_permission_denied, error),
         end;
         !error && entry != end; entry.increment(error)) {
        names.push_back(entry->path().string().substr(base_.string().size() + 1));
    }
    if (error) {
        note("tree: " + error.message());
    }
    std::ranges::sort(names);
    for (const std::string& name : names) {
        stat(name);
        if (fs::is_regular_file(fs::symlink_status(base_ / name, error))) {
            contents(name);
        }
    }
}

namespace {

void write_file(const char* path, const std::string& text) {
    const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
    const bool written =
        fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    if (!written) {
        throw std::system_error(errno, std::generic_category(), path);
    }
}

/// Gives this process the user's identity.
void become(const User& user) {
    for (const unsigned capability : user.without) {
        ::prctl(PR_CAPBSET_DROP, capability);
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> sets{};
        ::syscall(SYS_capget, &header, sets.data());
        sets.at(capability / 32).effective &= ~(1U << (capability % 32));
        sets.at(capability / 32).permitted &= ~(1U << (capability % 32));
        ::syscall(SYS_capset, &header, sets.data());
    }
    if (::setgroups(user.groups.size(), user.groups.data()) != 0 ||
        ::setresgid(user.gid, user.gid, user.gid) != 0 ||
        ::setresuid(user.uid, user.uid, user.uid) != 0) {
        throw std::system_error(errno, std::generic_category(), "becoming another user");
    }
    if (user.root_of_own_namespace) {
        ::prctl(PR_SET_DUMPABLE, 1); // or /proc/self would not be the user's
        if (::unshare(CLONE_NEWUSER) != 0) {
            throw std::system_error(errno, std::generic_category(), "a user namespace");
        }
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", "0 " + std::to_string(user.uid) + " 1");
        write_file("/proc/self/gid_map", "0 " + std::to_string(user.gid) + " 1");
    }
    ::umask(user.umask);
}

} // namespace

std::vector<std::string> run_as(const User& user, const fs::path& base,
                                const std::function<void(Script&)>& steps) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe");
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        std::string text;
        try {
            become(user);
            Script script(base);
            steps(script);
            for (const std::string& line : script.log()) {
                text += line + "\n";
            }
            text += "finished\n";
        } catch (const std::exception& error) {
            // Executes nothing more of the test's own code.
            text += std::string(error.what()) + "\n";
        }
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t count = ::write(ends[1], text.data() + done, text.size() - done);
            if (count <= 0) {
                ::_exit(1);
            }
            done += static_cast<std::size_t>(count);
        }
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 4096> chunk{};
    for (ssize_t count = 0; (count = ::read(ends[0], chunk.data(), chunk.size())) > 0;) {
        text.append(chunk.data(), static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(text.ends_with("finished\n")) << "the acting process ended early: " << text;
    std::vector<std::string> log;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        log.push_back(line);
    }
    return log;
}

void expect_same(Mount& mount, const std::function<void(Script&)>& steps) {
    static std::atomic<int> number;
    const std::string name = "d" + std::to_string(++number);
    const auto run_below = [&](const fs::path& parent) {
        Script script(fresh_directory(parent, name));
        steps(script);
        return script.log();
    };
    const auto on_plain = run_below(mount.temporary() / "plain");
    const auto on_mount = run_below(mount.path());
    expect_equal(on_mount, on_plain);
}

void expect_same_as(Mount& mount, const User& user, const std::function<void(Script&)>& prepare,
                    const std::function<void(Script&)>& steps) {
    static std::atomic<int> number;
    const std::string name = "u" + std::to_string(++number);
    const auto run_below = [&](const fs::path& parent) {
        const fs::path base = fresh_directory(parent, name);
        {
            Script as_root(base);
            prepare(as_root);
        }
        return run_as(user, base, steps);
    };
    const auto on_plain = run_below(mount.temporary() / "plain");
    const auto on_mount = run_below(mount.path());
    expect_equal(on_mount, on_plain);
}

} // namespace partialfs::testing
