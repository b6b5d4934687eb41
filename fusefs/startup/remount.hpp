// mount -o remount: other flags for a mount that is there.
#pragma once

#include "fusefs/startup/options.hpp"

#include <expected>
#include <functional>
#include <string>

namespace partialfs::startup {

/// Gives the mount at options.mountpoint the flags of options.remount_flags (ro, nosuid, ...), and
/// its daemon the contract and the flush policy, if they are among options.given. `say` gets a line
/// for each other setting among them: those keep the values of the first mount. Programs that have
/// files open for writing keep a mount from becoming read-only (EBUSY).
/// An error is one line that says what was tried and why it failed. Only root may.
std::expected<void, std::string> remount(const Options& options,
                                         const std::function<void(const std::string&)>& say);

} // namespace partialfs::startup
