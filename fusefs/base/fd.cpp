#include "fusefs/base/fd.hpp"

#include <array>
#include <cstdio>

namespace partialfs::base {

Result<Fd> reopen(const Fd& fd, int flags) {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd.get());
    return Fd::open(AT_FDCWD, path.data(), flags & ~O_NOFOLLOW);
}

} // namespace partialfs::base
