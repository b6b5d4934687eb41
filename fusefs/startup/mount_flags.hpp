// Which of suid, dev and exec the mount has when the user says nothing of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::startup {

/// `options`, as libfuse gets them, completed: what SOURCE's own filesystem forbids (nosuid, nodev,
/// noexec) stays forbidden; otherwise a mount by root allows it, as that of any local filesystem
/// does. What the user named is left as it is. For another user libfuse and the kernel forbid suid
/// and dev by themselves.
std::vector<std::string> complete_flags(std::vector<std::string> options,
                                        const std::filesystem::path& source);

} // namespace partialfs::startup
