#include "fusefs/fuse/set_id_bits.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/fuse/caller_capabilities.hpp"

#include <linux/capability.h>
#include <linux/fuse.h>
#include <sys/stat.h>

#include <cstring>

namespace partialfs::fuse {

bool write_clears_set_id(std::span<const std::byte> request) {
    fuse_in_header header{};
    fuse_write_in arguments{};
    if (request.size() < sizeof header + sizeof arguments) {
        return false;
    }
    std::memcpy(&header, request.data(), sizeof header);
    std::memcpy(&arguments, request.data() + sizeof header, sizeof arguments);
    return header.opcode == FUSE_WRITE && (arguments.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
}

mode_t set_id_of(mode_t mode) {
    if (S_ISDIR(mode)) {
        return 0;
    }
    return mode & ((mode & S_IXGRP) != 0 ? S_ISUID | S_ISGID : S_ISUID);
}

base::Result<void> clear_set_id(const Inode& inode) {
    if (set_id_of(TRY(backing::status_of(inode.fd())).st_mode) == 0) {
        return {};
    }
    return change_privileges(inode, [&]() -> base::Result<void> {
        const mode_t mode = TRY(backing::status_of(inode.fd())).st_mode;
        return backing::change_mode(inode.fd(), mode & 07777U & ~set_id_of(mode));
    });
}

base::Result<void> clear_set_id_by(pid_t caller, const Inode& inode) {
    const mode_t mode = TRY(backing::status_of(inode.fd())).st_mode;
    if (set_id_of(mode) == 0 || is_capable(caller, CAP_FSETID)) {
        return {};
    }
    return clear_set_id(inode);
}

} // namespace partialfs::fuse
