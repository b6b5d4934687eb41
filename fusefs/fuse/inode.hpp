// One file, directory or other object of the mount.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/file_data.hpp"
#include "fusefs/fuse/file_numbers.hpp"
#include "fusefs/fuse/listing_cache.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace partialfs::fuse {

/// An object of the mount: all hard links of a file are one Inode.
///
/// Owned by shared_ptr: the inode table holds one while the kernel knows the inode (nlookup > 0),
/// open handles and the journal hold theirs as long as they need it. The journal keeps an inode
/// with data not yet on disk or with lost stores in the ledger. A file that the kernel has
/// forgotten and looks up again thus gets the same Inode and InodeId: the table looks for a living
/// Inode by key before it makes a new one. Meanwhile the open descriptor keeps the key from being
/// reused.
///
/// Immutable except `data()` and `listing_cache()`, which have their own locks, `nlookup` and
/// `findable`.
class Inode {
  public:
    /// Makes the data of a regular file from its number, its O_PATH descriptor, which outlives the
    /// data, and its stat(2).
    using MakeData = std::function<std::unique_ptr<file::FileData>(model::InodeId, const base::Fd&,
                                                                   const struct stat&)>;

    /// `fd` is an O_PATH descriptor of the object; `status` its stat(2); `number` the st_ino that
    /// programs see. `make_data` is called only for a regular file.
    Inode(model::InodeId id, base::Fd fd, const struct stat& status, ino_t number,
          const MakeData& make_data)
        : id_(id), key_{status.st_dev, status.st_ino}, number_(number),
          type_(status.st_mode & S_IFMT), fd_(std::move(fd)) {
        if (S_ISREG(type_)) {
            data_ = make_data(id, fd_, status);
        }
    }

    /// Also its fuse_ino_t (FUSE nodeid). Never reused. The root's is 1.
    [[nodiscard]] model::InodeId id() const { return id_; }
    [[nodiscard]] BackingKey key() const { return key_; }
    /// Its st_ino and d_ino in this mount.
    [[nodiscard]] ino_t number() const { return number_; }
    /// S_IFREG, S_IFDIR, ...
    [[nodiscard]] mode_t type() const { return type_; }
    [[nodiscard]] bool is_regular() const { return S_ISREG(type_); }
    /// The O_PATH descriptor.
    [[nodiscard]] const base::Fd& fd() const { return fd_; }
    /// A power cut has ended the boot that it belongs to: requests for it fail with EIO.
    [[nodiscard]] bool is_dead() const { return data_ && data_->dead(); }
    /// The data of a regular file; null for anything else.
    [[nodiscard]] file::FileData* data() const { return data_.get(); }
    /// Of a directory.
    [[nodiscard]] ListingCache& listing_cache() const { return listing_cache_; }

    /// How often this inode was returned to the kernel, less how often the kernel has forgotten it.
    /// Guarded by the inode table's mutex.
    std::uint64_t nlookup = 0;
    /// Whether the table has been able to enter it by key. Guarded as nlookup.
    bool findable = false;

  private:
    model::InodeId id_;
    BackingKey key_;
    ino_t number_;
    mode_t type_;
    base::Fd fd_;
    std::unique_ptr<file::FileData> data_;
    mutable ListingCache listing_cache_;
};

using InodePtr = std::shared_ptr<Inode>;

/// Calls `change`, a change of its mode, owner or extended attributes, but not during a write to
/// SOURCE's file, which has to keep its privileges (file/backing_file.hpp).
inline base::Result<void> change_privileges(const Inode& inode,
                                            const std::function<base::Result<void>()>& change) {
    return inode.data() != nullptr ? inode.data()->change_privileges(change) : change();
}

/// Calls `look`, which reads its extended attributes, but not while such a write has removed some.
template <typename Look>
auto look_at_privileges(const Inode& inode, const Look& look) {
    return inode.data() != nullptr ? inode.data()->look_at_privileges(look) : look();
}

/// The file data of `inode` as a pointer that keeps the whole inode alive; null if it has none.
inline std::shared_ptr<file::FileData> shared_data(const std::shared_ptr<Inode>& inode) {
    return {inode, inode->data()};
}

} // namespace partialfs::fuse
