// Operations on an object of the backing directory (file, directory, symlink, device, ...) through
// its O_PATH descriptor: they do not open the object, and renames cannot race with them.
//
// All functions are thread-safe; they return the errno of the system call they name.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace partialfs::backing {

/// "/proc/self/fd/N": a path to what a descriptor refers to, the symlink itself if it is one.
class ProcPath {
  public:
    explicit ProcPath(const base::Fd& fd);
    [[nodiscard]] const char* c_str() const { return path_.data(); }

  private:
    std::array<char, 32> path_;
};

/// A descriptor and what fstat(2) says of it.
struct Object {
    base::Fd fd;
    struct stat status;
};

/// Opens `name` in `directory` with O_PATH; a symlink is not followed.
base::Result<Object> open_object(const base::Fd& directory, const char* name);
/// The object that `fd` refers to.
base::Result<Object> object_of(base::Fd fd);
/// fstat(2).
base::Result<struct stat> status_of(const base::Fd& object);
/// Where a symlink points to. ENOENT if the object is not a symlink, as from readlinkat(2) with an
/// empty path.
base::Result<std::string> link_target(const base::Fd& symlink);

/// The object's path relative to `directory`, an absolute path; empty if the name by which it was
/// opened is gone or lies outside `directory`.
std::string path_below(const base::Fd& object, const std::string& directory);

/// chmod(2) of the object.
base::Result<void> change_mode(const base::Fd& object, mode_t mode);
/// chown(2) of the object; an id of -1 is left unchanged.
base::Result<void> change_owner(const base::Fd& object, uid_t uid, gid_t gid);
/// utimensat(2): access time, then modification time.
base::Result<void> change_times(const base::Fd& object, const std::array<timespec, 2>& times);
/// Adds a hard link to the object. EXDEV, EMLINK, EEXIST and so on as linkat(2).
base::Result<void> add_name(const base::Fd& object, const base::Fd& directory, const char* name);

/// getxattr(2): copies the value into `to` and returns its length; an empty `to` only asks for the
/// length. ERANGE: `to` is too small; ENODATA: no such attribute.
base::Result<std::size_t> get_xattr(const base::Fd& object, const char* name, std::span<char> to);
/// listxattr(2), as get_xattr().
base::Result<std::size_t> list_xattrs(const base::Fd& object, std::span<char> to);
/// setxattr(2) with XATTR_CREATE and XATTR_REPLACE in `flags`.
base::Result<void> set_xattr(const base::Fd& object, const char* name, std::span<const char> value,
                             int flags);
base::Result<void> remove_xattr(const base::Fd& object, const char* name);

} // namespace partialfs::backing
