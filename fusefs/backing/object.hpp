// An object of the backing directory (file, directory, symlink, device, ...) by its O_PATH
// descriptor: what can be asked and changed without opening it, free of races with renames.
//
// All functions are thread-safe; they answer the errno of the system call they name.
#pragma once

#include "fusefs/backing/errno.hpp"
#include "fusefs/backing/fd.hpp"

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace partialfs::backing {

/// "/proc/self/fd/N": a path to what a descriptor refers to, the symlink itself if it is one.
class ProcPath {
  public:
    explicit ProcPath(const Fd& fd);
    [[nodiscard]] const char* c_str() const { return path_.data(); }

  private:
    std::array<char, 32> path_;
};

/// A descriptor and what fstat(2) says of it.
struct Object {
    Fd fd;
    struct stat status;
};

/// Opens `name` in `directory` with O_PATH, itself if it is a symlink.
Result<Object> open_object(const Fd& directory, const char* name);
/// The object that `fd` refers to.
Result<Object> object_of(Fd fd);
/// fstat(2).
Result<struct stat> status_of(const Fd& object);
/// Where a symlink points to. ENOENT if the object is none, as readlinkat(2) has it.
Result<std::string> link_target(const Fd& symlink);

/// chmod(2) of the object.
Result<void> change_mode(const Fd& object, mode_t mode);
/// chown(2) of the object; -1 leaves one of the two.
Result<void> change_owner(const Fd& object, uid_t uid, gid_t gid);
/// utimensat(2): access time, then modification time.
Result<void> change_times(const Fd& object, const std::array<timespec, 2>& times);
/// Gives the object one more name. EXDEV, EMLINK, EEXIST and so on as linkat(2).
Result<void> add_name(const Fd& object, const Fd& directory, const char* name);

/// getxattr(2): the length of the value, which `to` has room for, or if `to` is empty the length it
/// needs. ERANGE: no room; ENODATA: no such attribute.
Result<std::size_t> get_xattr(const Fd& object, const char* name, std::span<char> to);
/// listxattr(2), as get_xattr().
Result<std::size_t> list_xattrs(const Fd& object, std::span<char> to);
/// setxattr(2) with XATTR_CREATE and XATTR_REPLACE in `flags`.
Result<void> set_xattr(const Fd& object, const char* name, std::span<const char> value, int flags);
Result<void> remove_xattr(const Fd& object, const char* name);

} // namespace partialfs::backing
