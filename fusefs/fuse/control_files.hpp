// What the files of the control directory hold, and what writing to them does.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

#include <cstddef>
#include <string>

namespace partialfs::fuse {

struct Mount;

/// What a control file holds at the moment it is opened; nothing for those that are only written.
std::string contents_of(const Mount& mount, fuse_ino_t number);

/// The write handler of all control files: answers once what was asked for is done, or with the
/// errno that says why it is not. EINVAL: no such contract or policy; EPERM: not to be written.
void control_write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size,
                   off_t offset, fuse_file_info* fi);

} // namespace partialfs::fuse
