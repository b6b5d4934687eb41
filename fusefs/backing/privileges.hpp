// What Linux takes away from a file that is written: its capabilities and, if the writer lacks
// CAP_FSETID, its setuid and setgid bits (file_remove_privs()).
#pragma once

#include "fusefs/base/errno.hpp"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

namespace partialfs::backing {

/// The attribute that holds a file's capabilities.
inline constexpr const char* kCapabilities = "security.capability";

/// What a file has of this.
struct Privileges {
    mode_t mode = 0; ///< all permission bits, setuid and setgid among them
    std::array<char, 64> capabilities{};
    std::size_t size = 0; ///< of the capabilities; 0: none
};

/// What `fd` has; nothing if a write would take nothing away. Errors are those of fstat(2) and
/// fgetxattr(2); a filesystem without extended attributes is no error.
base::Result<std::optional<Privileges>> privileges_of(int fd);

/// Gives back to `fd` what it no longer has. Success, too, where the daemon may not (EPERM): then
/// it could not have been given through the mount either. Errors are those of fchmod(2) and
/// fsetxattr(2).
base::Result<void> give_back(int fd, const Privileges& had);

} // namespace partialfs::backing
