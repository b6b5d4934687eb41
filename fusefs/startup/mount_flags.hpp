// Which of suid, dev and exec the mount has when the user says nothing of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::startup {

/// Whether SOURCE's filesystem is mounted read-only.
bool is_read_only(const std::filesystem::path& source);

/// `options`, as libfuse gets them, completed: what SOURCE's own filesystem forbids (nosuid, nodev,
/// noexec) stays forbidden, and a mount of what is read-only is read-only (which mount(8) says of a
/// write-protected device, too); otherwise a mount by root allows it, as that of any local
/// filesystem does. What else the user named is left as it is. For another user libfuse and the
/// kernel forbid suid and dev by themselves.
std::vector<std::string> complete_flags(std::vector<std::string> options,
                                        const std::filesystem::path& source);

} // namespace partialfs::startup
