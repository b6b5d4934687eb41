// mount -o remount: changes an existing mount.
#pragma once

#include "fusefs/startup/options.hpp"

#include <expected>
#include <functional>
#include <string>

namespace partialfs::startup {

/// Gives the mount at options.mountpoint the flags of options.remount_flags (ro, nosuid, ...), and
/// its daemon the contract, the flush policy and after-write-error, if they are among
/// options.given. `say` gets a line for each other setting among them, which stays as it was first
/// mounted. A mount cannot become read-only while programs have files open for writing (EBUSY). An
/// error is one line that says what was tried and why it failed. Needs root.
std::expected<void, std::string> remount(const Options& options,
                                         const std::function<void(const std::string&)>& say);

} // namespace partialfs::startup
