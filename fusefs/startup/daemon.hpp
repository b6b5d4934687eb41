// The mount as a whole: everything put together, served, and taken apart again.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/startup/options.hpp"

#include <expected>
#include <functional>
#include <string>

namespace partialfs::startup {

/// Mounts options.source at options.mountpoint and serves the mount until it is unmounted from
/// outside or SIGTERM, SIGINT or SIGHUP arrives. Returns within a second of that, after a last
/// commit, with every thread joined and nothing mounted.
///
/// `ready` is called once, as soon as the mount is usable. If it answers false the user has gone:
/// the daemon ends as if by SIGTERM.
///
/// An error is one line for the user that names the thing and what to do: the mount could not be
/// made, or the last commit failed. To be called from the only thread of the process.
std::expected<void, std::string> serve(const Options& options, backing::FileIo& io,
                                       const std::function<bool()>& ready);

} // namespace partialfs::startup
