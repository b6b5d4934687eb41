// Every inode of the mount: by the number that the kernel knows it by, and by its backing object.
#pragma once

#include "fusefs/backing/object.hpp"
#include "fusefs/kernel/inode.hpp"

#include <cstddef>
#include <memory>

namespace partialfs::kernel {

/// Thread-safe. An Inode lives as long as the kernel knows it or anybody holds its shared_ptr, and
/// is found by its backing object for all that time: all hard links of a file are one Inode, and a
/// file that the kernel forgot while its data waits is the same one again.
class InodeTable {
  public:
    /// `context` must outlive the table and every inode. The table may go before its inodes.
    explicit InodeTable(journal::Context& context);
    InodeTable(const InodeTable&) = delete;
    InodeTable& operator=(const InodeTable&) = delete;
    ~InodeTable();

    /// The first inode, number 1, never forgotten. To be called once, before anything else.
    std::shared_ptr<Inode> add_root(backing::Object root);
    [[nodiscard]] std::shared_ptr<Inode> root() const;

    /// The inode that the kernel knows by this number; null if it knows none.
    [[nodiscard]] std::shared_ptr<Inode> find(model::InodeId id) const;
    /// The living inode of a backing object; null if there is none. The kernel need not know it.
    [[nodiscard]] std::shared_ptr<Inode> find(BackingKey key) const;
    /// The inode of `object`, made if need be. The kernel is being told of it once more: its
    /// nlookup is one higher.
    std::shared_ptr<Inode> remember(backing::Object object);
    /// The kernel has forgotten it `count` times (FORGET). An unknown number is ignored.
    void forget(model::InodeId id, std::uint64_t count);

    /// How many inodes the kernel knows.
    [[nodiscard]] std::size_t known() const;

  private:
    struct State;
    /// Shared with the deleters of the inodes, which take a dead inode out of the table.
    std::shared_ptr<State> state_;
};

} // namespace partialfs::kernel
