#include "fusefs/fuse/resource_limits.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace partialfs::fuse {

namespace {

constexpr std::uint32_t kBit = 1U << CAP_SYS_RESOURCE; // in the first word

using Words = std::array<__user_cap_data_struct, 2>;

bool get(pid_t thread, Words& words) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = thread};
    return ::syscall(SYS_capget, &header, words.data()) == 0;
}

bool set_effective(bool wanted) {
    Words words{};
    if (!get(0, words)) {
        return false;
    }
    words[0].effective =
        wanted ? words[0].effective | (words[0].permitted & kBit) : words[0].effective & ~kBit;
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    return ::syscall(SYS_capset, &header, words.data()) == 0;
}

bool has_it(pid_t thread) {
    Words words{};
    return thread != 0 && get(thread, words) && (words[0].effective & kBit) != 0;
}

} // namespace

ResourceLimits::ResourceLimits(pid_t caller) {
    if (!has_it(caller) && has_it(gettid())) {
        dropped_ = set_effective(false);
    }
}

ResourceLimits::~ResourceLimits() {
    if (dropped_) {
        set_effective(true);
    }
}

} // namespace partialfs::fuse
