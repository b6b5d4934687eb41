// The mount flags (ro, suid, dev, exec) for which the user names no option.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::startup {

/// Whether SOURCE's filesystem is mounted read-only.
bool is_read_only(const std::filesystem::path& source);

/// Completes `options`, which are for libfuse. What SOURCE's own filesystem forbids (nosuid, nodev,
/// noexec) stays forbidden, and a read-only SOURCE is mounted read-only, as mount(8) does with a
/// write-protected device. Otherwise a mount by root allows all of these, as that of a local
/// filesystem does; for other users libfuse and the kernel forbid suid and dev. Options that the
/// user has named stay unchanged.
std::vector<std::string> complete_flags(std::vector<std::string> options,
                                        const std::filesystem::path& source);

} // namespace partialfs::startup
