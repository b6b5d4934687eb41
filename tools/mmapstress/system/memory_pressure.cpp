#include "tools/mmapstress/system/memory_pressure.hpp"

#include "fusefs/backing/fd.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace mmapstress {

namespace {

/// What the program itself may need, the operations it keeps included.
constexpr ByteCount kLeast{16U << 20U};

bool write_text(const std::string& path, const std::string& text) {
    const auto fd = partialfs::backing::Fd::open(AT_FDCWD, path.c_str(), O_WRONLY);
    return fd && ::write(fd->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// This process's group in the hierarchy of the memory controller, as a directory; empty: none.
struct Group {
    std::string directory;
    const char* limit_file = nullptr;
};

Group memory_group() {
    // Lines "5:memory:/path" (version 1) or "0::/path" (version 2).
    const auto text = read_file("/proc/self/cgroup");
    if (!text) {
        return {};
    }
    Group found;
    std::string_view left = *text;
    while (!left.empty()) {
        const std::string_view line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(line.size() + 1, left.size()));
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (second == std::string_view::npos) {
            continue;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string path(line.substr(second + 1));
        if (controllers == "memory") {
            return {"/sys/fs/cgroup/memory" + path, "/memory.limit_in_bytes"};
        }
        if (controllers.empty()) {
            found = {"/sys/fs/cgroup" + path, "/memory.max"};
        }
    }
    return found;
}

/// Bytes that the system says are available; 0 if it does not.
std::uint64_t available_memory() {
    const auto text = read_file("/proc/meminfo");
    if (!text) {
        return 0;
    }
    constexpr std::string_view kName = "MemAvailable:";
    const std::size_t at = text->find(kName);
    if (at == std::string::npos) {
        return 0;
    }
    const std::size_t digits = text->find_first_not_of(' ', at + kName.size());
    std::uint64_t kibibytes = 0;
    std::from_chars(text->data() + digits, text->data() + text->size(), kibibytes);
    return kibibytes * 1024;
}

} // namespace

Outcome<MemoryPressure> MemoryPressure::apply(ByteCount limit) {
    MemoryPressure pressure;
    if (limit.value == 0) {
        return pressure;
    }
    if (limit < kLeast) {
        return refused("memory pressure of " + std::to_string(limit.value) +
                       " bytes leaves too little for the program itself: at least " +
                       std::to_string(kLeast.value));
    }
    const Group parent = memory_group();
    if (!parent.directory.empty()) {
        const std::string group = parent.directory + "/mmapstress." + std::to_string(::getpid());
        if (::mkdir(group.c_str(), 0755) == 0) {
            if (write_text(group + parent.limit_file, std::to_string(limit.value)) &&
                write_text(group + "/cgroup.procs", std::to_string(::getpid()))) {
                pressure.group_ = group;
                pressure.parent_ = parent.directory;
                return pressure;
            }
            ::rmdir(group.c_str());
        }
    }
    const std::uint64_t available = available_memory();
    if (available <= limit.value) {
        return refused("cannot apply memory pressure: no memory control group may be made, and the "
                       "memory available in the system is not known or below the limit already");
    }
    const std::size_t size = available - limit.value;
    void* const ballast = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);
    if (ballast == MAP_FAILED) {
        return failed("cannot apply memory pressure: no control group may be made, and " +
                      std::to_string(size) + " bytes of ballast cannot be had");
    }
    pressure.ballast_ = static_cast<std::byte*>(ballast);
    pressure.ballast_size_ = size;
    return pressure;
}

MemoryPressure::MemoryPressure(MemoryPressure&& other) noexcept
    : group_(std::exchange(other.group_, {})), parent_(std::move(other.parent_)),
      ballast_(std::exchange(other.ballast_, nullptr)),
      ballast_size_(std::exchange(other.ballast_size_, 0)) {}

void MemoryPressure::release() {
    if (!group_.empty()) {
        // All that are in it, as a group with processes cannot be removed; again, as one of them
        // may just have forked.
        for (int attempt = 0; attempt != 10 && ::rmdir(group_.c_str()) != 0; ++attempt) {
            const auto members = read_file(group_ + "/cgroup.procs");
            std::string_view left = members ? std::string_view(*members) : std::string_view();
            while (!left.empty()) {
                const std::string_view pid = left.substr(0, left.find('\n'));
                left.remove_prefix(std::min(pid.size() + 1, left.size()));
                write_text(parent_ + "/cgroup.procs", std::string(pid));
            }
        }
        group_.clear();
    }
    if (ballast_ != nullptr) {
        ::munmap(ballast_, ballast_size_);
        ballast_ = nullptr;
    }
}

const char* MemoryPressure::how() const {
    if (!group_.empty()) {
        return "control group";
    }
    return ballast_ != nullptr ? "ballast" : "none";
}

} // namespace mmapstress
