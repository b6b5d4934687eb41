// The handlers of requests for the control directory.
//
//     status         r   JSON: counters, contract, policy, kernel features in use
//     ledger         r   JSON Lines: the lost stores
//     trace          r   JSON Lines: the latest events
//     contract       rw  linux-2.6.19, linux-2.6.20 or linux-6.12-blockdev; effective at once
//     flush-policy   rw  eager, ext3 or writeback; effective at once
//     after-write-error  rw  keep, clean or forget; effective at once
//     faults         rw  the rules of faults in force; write lines to add, `clear` to remove all
//     commit         w   write anything: returns when a commit is on disk
//     evict          w   write a path relative to the mount: its pages are written back and dropped
//     power          rw  with --power: cuts the power, see power/command.hpp; JSON: what is armed
//     fired          r   with --power: waits for an armed cut; JSON: what the cut took
//     unsynced       r   with --power: JSON Lines: what a cut would take now
//     inode/N            the inode with FUSE's number N itself, whatever its name
#pragma once

#include "fusefs/fuse/control_files.hpp"
#include "fusefs/fuse/control_nodes.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/reply.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace partialfs::fuse {

/// The control directory's name in the root of the mount. It is never listed; a file of that name
/// in SOURCE cannot be reached through the mount.
inline constexpr std::string_view kControlName = ".partialfs";

inline bool is_control_name(fuse_ino_t directory, const char* name) {
    return directory == FUSE_ROOT_ID && name == kControlName;
}

/// The handlers of requests whose inode is_control(). ESTALE: no such node exists.
namespace control {

/// The entry of the control directory in the root.
Entry directory(Mount& mount);

Answer lookup(fuse_req_t req, fuse_ino_t parent, const char* name);
Answer getattr(fuse_req_t req, fuse_ino_t number, fuse_file_info* info);
Answer setattr(fuse_req_t req, fuse_ino_t number, struct stat* wanted, int to_set,
               fuse_file_info* info);
Answer open(fuse_req_t req, fuse_ino_t number, fuse_file_info* info);
Answer read(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t offset,
            const std::shared_ptr<ControlReader>& reader);
Answer write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size, off_t offset,
             fuse_file_info* info);
Answer release(fuse_req_t req, fuse_ino_t number, fuse_file_info* info);
Answer flush(fuse_req_t req, fuse_ino_t number, fuse_file_info* info);
Answer fsync(fuse_req_t req, fuse_ino_t number, int data_only, fuse_file_info* info);
Answer opendir(fuse_req_t req, fuse_ino_t number, fuse_file_info* info);
Answer readdir(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t position,
               fuse_file_info* info);
Answer readdirplus(fuse_req_t req, fuse_ino_t number, std::size_t size, off_t position,
                   fuse_file_info* info);
Answer statfs(fuse_req_t req, fuse_ino_t number);
Answer getxattr(fuse_req_t req, fuse_ino_t number, const char* name, std::size_t size);
Answer listxattr(fuse_req_t req, fuse_ino_t number, std::size_t size);

} // namespace control

/// The control directory's handler of each kind of request. A kind without one is refused (EPERM).
struct Refused {};
template <auto member>
inline constexpr Refused control_handler{};
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::lookup> = control::lookup;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::getattr> = control::getattr;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::setattr> = control::setattr;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::open> = control::open;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::read> = control::read;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::write> = control::write;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::release> = control::release;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::flush> = control::flush;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::fsync> = control::fsync;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::opendir> = control::opendir;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::readdir> = control::readdir;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::readdirplus> = control::readdirplus;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::releasedir> = control::release;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::fsyncdir> = control::fsync;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::statfs> = control::statfs;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::getxattr> = control::getxattr;
template <>
inline constexpr auto control_handler<&fuse_lowlevel_ops::listxattr> = control::listxattr;

} // namespace partialfs::fuse
