#include "tools/mmapstress/system/memory_group.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

namespace mmapstress {

namespace {

using partialfs::base::Fd;
using partialfs::base::Result;

constexpr const char* kLimitFile1 = "memory.limit_in_bytes";
constexpr const char* kLimitFile2 = "memory.high";
constexpr int kLookEveryMs = 50;
constexpr int kRemoveAttempts = 100;

Result<void> write_text(const std::string& path, const std::string& text) {
    const Fd fd = TRY(Fd::open(AT_FDCWD, path.c_str(), O_WRONLY));
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return partialfs::base::last_error();
    }
    return {};
}

/// What the keeper, a process outside of the group, needs.
struct Keeping {
    int alive; ///< readable when the group has been left, or all its processes are gone
    int oom;   ///< memory.oom_control, or -1
    int limit_file;
    std::uint64_t limit;
    const char* directory;
};

/// The keeper. It makes only system calls, as it is a forked child.
[[noreturn]] void keep(Keeping group) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr); // it ends after the other processes, not by a signal
    pollfd alive{group.alive, POLLIN, 0};
    while (::poll(&alive, 1, kLookEveryMs) == 0) {
        std::array<char, 256> text{};
        if (group.oom < 0 || ::pread(group.oom, text.data(), text.size() - 1, 0) <= 0 ||
            std::strstr(text.data(), "under_oom 1") == nullptr) {
            continue;
        }
        group.limit += group.limit / 4;
        const auto end = std::to_chars(text.data(), text.data() + text.size(), group.limit);
        [[maybe_unused]] const auto written = ::pwrite(
            group.limit_file, text.data(), static_cast<std::size_t>(end.ptr - text.data()), 0);
    }
    // After a kill it takes a moment until the kernel regards the group as empty.
    for (int attempt = 0; attempt != kRemoveAttempts; ++attempt) {
        if (::rmdir(group.directory) == 0 || errno == ENOENT) {
            break;
        }
        constexpr timespec kMoment{0, 10'000'000};
        ::nanosleep(&kMoment, nullptr);
    }
    ::_exit(0);
}

} // namespace

detail::GroupPlaces detail::group_places(const std::string& text) {
    // Lines "5:memory:/path" (version 1) or "0::/path" (version 2).
    GroupPlaces places;
    std::string mount;
    std::string path;
    std::string_view left = text;
    while (!left.empty()) {
        const std::string_view line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(line.size() + 1, left.size()));
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) {
            continue;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        if (controllers == "memory" || (controllers.empty() && !places.version_1)) {
            places.version_1 = !controllers.empty();
            mount = places.version_1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
            path = line.substr(second + 1);
        }
    }
    if (mount.empty()) {
        return places;
    }
    while (!path.empty() && path != "/") {
        places.directories.push_back(mount + path);
        path.erase(path.rfind('/'));
    }
    places.directories.push_back(mount);
    return places;
}

Outcome<MemoryGroup> MemoryGroup::join(ByteCount limit) {
    const auto text = read_file("/proc/self/cgroup");
    const auto places = text ? detail::group_places(*text) : detail::GroupPlaces{};
    if (places.directories.empty()) {
        return refused("there are no memory control groups");
    }
    const char* const limit_file = places.version_1 ? kLimitFile1 : kLimitFile2;
    const std::string me = std::to_string(::getpid());
    const std::string name = "/mmapstress." + me;
    Outcome<MemoryGroup> last = refused("there are no memory control groups");
    for (const std::string& parent : places.directories) {
        MemoryGroup group;
        group.directory_ = parent + name;
        group.limit_file_ = limit_file;
        if (::mkdir(group.directory_.c_str(), 0755) != 0) {
            last = failed("cannot make a memory control group in " + parent);
            group.directory_.clear();
            continue;
        }
        // In version 2 this fails if the parent group does not delegate the memory controller.
        if (const auto limited =
                write_text(group.directory_ + "/" + limit_file, std::to_string(limit.value));
            !limited) {
            last = failed("cannot limit the memory of " + group.directory_, limited.error());
            continue;
        }
        if (places.version_1) {
            static_cast<void>(write_text(group.directory_ + "/memory.oom_control", "1"));
        }
        group.home_ = places.directories.front();
        group.watch(limit);
        if (const auto joined = write_text(group.directory_ + "/cgroup.procs", me); !joined) {
            last = failed("cannot join " + group.directory_, joined.error());
            continue;
        }
        return group;
    }
    return last;
}

void MemoryGroup::watch(ByteCount limit) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return; // the keeper is only a safety net
    }
    const Fd watched(ends[0]);
    alive_ = Fd(ends[1]);
    const auto oom = Fd::open(AT_FDCWD, (directory_ + "/memory.oom_control").c_str(), O_RDONLY);
    const auto limit_file = Fd::open(AT_FDCWD, (directory_ + "/" + limit_file_).c_str(), O_WRONLY);
    keeper_ = ::fork();
    if (keeper_ == 0) {
        ::close(ends[1]);
        keep({ends[0], oom ? oom->get() : -1, limit_file ? limit_file->get() : -1, limit.value,
              directory_.c_str()});
    }
}

MemoryGroup::MemoryGroup(MemoryGroup&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), limit_file_(std::move(other.limit_file_)),
      home_(std::move(other.home_)), alive_(std::move(other.alive_)),
      keeper_(std::exchange(other.keeper_, 0)) {}

void MemoryGroup::leave() {
    if (directory_.empty()) {
        return;
    }
    // Moves all processes out, as a group with processes cannot be removed. Repeated, as one of
    // them may just have forked.
    for (int attempt = 0; attempt != 10 && ::rmdir(directory_.c_str()) != 0; ++attempt) {
        const auto members = read_file(directory_ + "/cgroup.procs");
        std::string_view left = members ? std::string_view(*members) : std::string_view();
        while (!left.empty()) {
            const std::string_view pid = left.substr(0, left.find('\n'));
            left.remove_prefix(std::min(pid.size() + 1, left.size()));
            static_cast<void>(write_text(home_ + "/cgroup.procs", std::string(pid)));
        }
    }
    directory_.clear();
    if (keeper_ > 0) {
        // Written, as forked processes may still have that end of the pipe open.
        [[maybe_unused]] const auto told = ::write(alive_.get(), "", 1);
        while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
        }
        keeper_ = 0;
    }
    alive_.reset();
}

ByteCount MemoryGroup::limit() const {
    const auto text = read_file(directory_ + "/" + limit_file_);
    std::uint64_t value = 0;
    if (text) {
        std::from_chars(text->data(), text->data() + text->size(), value);
    }
    return ByteCount{value};
}

} // namespace mmapstress
