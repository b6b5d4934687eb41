// One part of a directory listing, in the format of the reply.
#pragma once

#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/reply.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace partialfs::fuse {

/// The reply to one READDIR or READDIRPLUS. Not thread-safe.
class Listing {
  public:
    /// At most `size` bytes.
    Listing(fuse_req_t req, std::size_t size) : req_(req), bytes_(size, '\0') {}

    /// Adds a name with its d_ino and type. False: there is no room. `next`: the position after it.
    bool add(const char* name, ino_t number, mode_t type, off_t next) {
        struct stat status{};
        status.st_ino = number;
        status.st_mode = type;
        return took(fuse_add_direntry(req_, rest(), room(), name, &status, next));
    }
    /// Adds a name with its inode; entry.ino is 0 if the kernel is to look it up itself.
    bool add_plus(const char* name, const fuse_entry_param& entry, off_t next) {
        return took(fuse_add_direntry_plus(req_, rest(), room(), name, &entry, next));
    }
    [[nodiscard]] bool empty() const { return used_ == 0; }
    /// Returns the entries that have been added, and empties the listing.
    Bytes take() {
        bytes_.resize(std::exchange(used_, 0));
        return Bytes{std::move(bytes_)};
    }

  private:
    char* rest() { return bytes_.data() + used_; }
    [[nodiscard]] std::size_t room() const { return bytes_.size() - used_; }
    bool took(std::size_t needed) {
        if (needed > room()) {
            return false;
        }
        used_ += needed;
        return true;
    }

    fuse_req_t req_;
    std::string bytes_;
    std::size_t used_ = 0;
};

} // namespace partialfs::fuse
