#include "fusefs/fuse/caller_capabilities.hpp"

#include <cstdint>
#include <fstream>
#include <ios>
#include <string>
#include <system_error>

namespace partialfs::fuse {
namespace {

bool has_in_effect(const std::filesystem::path& process, unsigned capability) {
    std::ifstream status(process / "status");
    for (std::string word; status >> word;) {
        if (word == "CapEff:") {
            std::uint64_t effective = 0;
            return status >> std::hex >> effective && ((effective >> capability) & 1U) != 0;
        }
    }
    return false;
}

/// The user namespace of a process, as a text to compare; empty if it is not visible.
std::string namespace_of(const std::filesystem::path& process) {
    std::error_code error;
    return std::filesystem::read_symlink(process / "ns/user", error).string();
}

/// Whether `map` (uid_map or gid_map) of a process' namespace maps the daemon's `id`.
bool maps(const std::filesystem::path& map, std::uint64_t id) {
    std::ifstream ranges(map);
    for (std::uint64_t inside = 0, outside = 0, count = 0; ranges >> inside >> outside >> count;) {
        if (id >= outside && id - outside < count) {
            return true;
        }
    }
    return false;
}

} // namespace

bool is_capable(pid_t caller, unsigned capability, const std::filesystem::path& proc) {
    const auto process = proc / std::to_string(caller);
    const std::string theirs = namespace_of(process);
    return !theirs.empty() && theirs == namespace_of(proc / "self") &&
           has_in_effect(process, capability);
}

bool is_capable_over(pid_t caller, unsigned capability, uid_t owner, gid_t group,
                     const std::filesystem::path& proc) {
    const auto process = proc / std::to_string(caller);
    return has_in_effect(process, capability) && maps(process / "uid_map", owner) &&
           maps(process / "gid_map", group);
}

} // namespace partialfs::fuse
