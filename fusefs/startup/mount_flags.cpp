#include "fusefs/startup/mount_flags.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace partialfs::startup {
namespace {

struct Flag {
    unsigned long forbidden; ///< of statvfs(3)
    const char* allow;
    const char* forbid;
};

constexpr std::array kFlags{
    Flag{ST_NOSUID, "suid", "nosuid"},
    Flag{ST_NODEV, "dev", "nodev"},
    Flag{ST_NOEXEC, "exec", "noexec"},
};

} // namespace

bool is_read_only(const std::filesystem::path& source) {
    struct statvfs status{};
    return ::statvfs(source.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

std::vector<std::string> complete_flags(std::vector<std::string> options,
                                        const std::filesystem::path& source) {
    struct statvfs status{};
    const bool known = ::statvfs(source.c_str(), &status) == 0;
    for (const Flag& flag : kFlags) {
        if (std::ranges::find(options, flag.allow) != options.end() ||
            std::ranges::find(options, flag.forbid) != options.end()) {
            continue;
        }
        if (known && (status.f_flag & flag.forbidden) != 0) {
            options.emplace_back(flag.forbid);
        } else if (::geteuid() == 0) {
            options.emplace_back(flag.allow);
        }
    }
    if (known && (status.f_flag & ST_RDONLY) != 0) {
        std::erase(options, "rw");
        std::erase(options, "ro");
        options.emplace_back("ro");
    }
    return options;
}

} // namespace partialfs::startup
