// One file, directory or other object of the mount.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/file_data.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <memory>

namespace partialfs::fuse {

/// Names an object of the backing filesystem while somebody holds it open.
struct BackingKey {
    dev_t device = 0;
    ino_t number = 0;

    constexpr auto operator<=>(const BackingKey&) const = default;
};

/// An object of the mount: all hard links of a file are one Inode.
///
/// Owned by shared_ptr: the inode table holds one while the kernel knows the inode (nlookup > 0),
/// open handles and the journal hold theirs as long as they need it. The journal keeps an inode
/// with data not yet on disk or with lost stores in the ledger, so that a file that the kernel
/// forgot and looks up again finds its Inode, and its InodeId, again: the table must look for a
/// living Inode by key before it makes a new one. The open descriptor keeps the key from being
/// reused meanwhile.
///
/// Immutable but for `data()`, which has its own lock, `nlookup` and `findable`.
class Inode {
  public:
    /// `fd` is an O_PATH descriptor of the object; `status` its stat(2).
    /// `context` must outlive the inode.
    Inode(model::InodeId id, base::Fd fd, const struct stat& status, file::Context& context)
        : id_(id), key_{status.st_dev, status.st_ino}, type_(status.st_mode & S_IFMT),
          fd_(std::move(fd)) {
        if (S_ISREG(type_)) {
            data_ = std::make_unique<file::FileData>(id, fd_, status, context);
        }
    }

    /// Also its fuse_ino_t (FUSE nodeid). Never reused. The root's is 1.
    [[nodiscard]] model::InodeId id() const { return id_; }
    [[nodiscard]] BackingKey key() const { return key_; }
    /// S_IFREG, S_IFDIR, ...
    [[nodiscard]] mode_t type() const { return type_; }
    [[nodiscard]] bool is_regular() const { return S_ISREG(type_); }
    /// The O_PATH descriptor.
    [[nodiscard]] const base::Fd& fd() const { return fd_; }
    /// The data of a regular file; null for anything else.
    [[nodiscard]] file::FileData* data() const { return data_.get(); }

    /// How often the kernel has been told of this inode and has not forgotten it.
    /// Guarded by the inode table's mutex.
    std::uint64_t nlookup = 0;
    /// Whether the table can be asked for it by key. Guarded as nlookup.
    bool findable = false;

  private:
    model::InodeId id_;
    BackingKey key_;
    mode_t type_;
    base::Fd fd_;
    std::unique_ptr<file::FileData> data_;
};

/// The file data of `inode` as a pointer that keeps the whole inode alive; null if it has none.
inline std::shared_ptr<file::FileData> shared_data(const std::shared_ptr<Inode>& inode) {
    return {inode, inode->data()};
}

} // namespace partialfs::fuse
