// Every inode of the mount, found by the number that the kernel uses, or by its backing object.
#pragma once

#include "fusefs/backing/object.hpp"
#include "fusefs/fuse/inode.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::fuse {

/// Thread-safe. An Inode lives as long as the kernel knows it or anybody holds its shared_ptr, and
/// can be found by its backing object for all that time. So all hard links of a file are one Inode,
/// and a file that the kernel forgets while its data waits gets the same Inode again.
class InodeTable {
  public:
    /// `make_data` makes the data of each regular file. Inodes may outlive the table.
    explicit InodeTable(Inode::MakeData make_data);
    InodeTable(const InodeTable&) = delete;
    InodeTable& operator=(const InodeTable&) = delete;
    ~InodeTable();

    /// Adds the first inode, number 1, which is never forgotten. To be called once, before anything
    /// else; its device is SOURCE's own.
    std::shared_ptr<Inode> add_root(backing::Object root);
    [[nodiscard]] std::shared_ptr<Inode> root() const;

    /// The inode that the kernel knows by this number; null if it knows none.
    [[nodiscard]] std::shared_ptr<Inode> find(model::InodeId id) const;
    /// The living inode of a backing object; null if there is none. The kernel need not know it.
    [[nodiscard]] std::shared_ptr<Inode> find(BackingKey key) const;
    /// The st_ino and d_ino of a backing object in this mount: see FileNumbers.
    [[nodiscard]] ino_t number_of(BackingKey key) const;
    /// The inode of `object`, which was found as `name` in the directory `parent`; made if there is
    /// none. It is about to be returned to the kernel: increments its nlookup.
    std::shared_ptr<Inode> remember(backing::Object object, model::InodeId parent,
                                    std::string_view name);
    /// The same for an inode that the kernel knows, without remembering the name. Null if the
    /// kernel does not know it.
    std::shared_ptr<Inode> remember_known(model::InodeId id);
    /// The kernel has forgotten it `count` times (FORGET). An unknown number is ignored.
    void forget(model::InodeId id, std::uint64_t count);

    /// Every living inode of a regular file.
    [[nodiscard]] std::vector<std::shared_ptr<Inode>> regular_files() const;
    /// The power has been cut: every living inode of a regular file becomes dead, and cannot be
    /// found by its backing object any more, so that the next lookup of its name makes a new one.
    /// Returns these inodes.
    std::vector<std::shared_ptr<Inode>> cut_off();
    /// A number that no inode has or will get.
    [[nodiscard]] model::InodeId next_id();

    /// How many inodes the kernel knows.
    [[nodiscard]] std::size_t known() const;
    /// How many inodes there are, known to the kernel or kept by the journal. Each holds a
    /// descriptor.
    [[nodiscard]] std::size_t living() const;
    /// `call` is called, with no lock held, whenever remember() finds at least `limit` inodes
    /// living; if reclaim_ended() has left about as many or more, when there are `limit`/16 more
    /// than that. To be called before the first request.
    void set_limit(std::size_t limit, std::function<void()> call);

    /// Whether there are many more inodes than the limit, and than were in use at reclaim_ended();
    /// no inode should then be remembered without need.
    [[nodiscard]] bool crowded() const;
    /// Slows down a thread that finds inodes faster than others are forgotten: waits until the
    /// table is not crowded, but at most a tenth of a second. Inodes in use, however many, cause no
    /// wait. To be called after the reply, when the kernel holds no lock for the request.
    void wait_if_crowded();
    /// No descriptor is left (EMFILE): has inodes reclaimed, as at the limit, and waits for it.
    /// False if none is gone after two seconds.
    bool make_room();
    /// Waits until at most `most` inodes live; false if there are more after `patience`.
    bool wait_until_living(std::size_t most, std::chrono::milliseconds patience);
    /// All inodes that could be reclaimed have been: those that live now are in use.
    void reclaim_ended();

    /// An inode that nobody uses, and a name by which the kernel knows it.
    struct Unused {
        model::InodeId id;
        model::InodeId parent;
        std::string name;
    };
    /// Up to `count` inodes that have not been looked up for longest, and that are neither open nor
    /// waiting for a commit, with the name by which each was last looked up. A file is returned
    /// only once, until it is looked up again. Directories are returned only if `directories`, and
    /// repeatedly: only the kernel knows whether one is in use.
    std::vector<Unused> longest_unused(std::size_t count, bool directories);

  private:
    struct State;
    /// Shared with the deleters of the inodes, which take a dead inode out of the table.
    std::shared_ptr<State> state_;
};

} // namespace partialfs::fuse
