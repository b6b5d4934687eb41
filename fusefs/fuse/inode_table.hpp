// Every inode of the mount: by the number that the kernel knows it by, and by its backing object.
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
/// is found by its backing object for all that time: all hard links of a file are one Inode, and a
/// file that the kernel forgot while its data waits is the same one again.
class InodeTable {
  public:
    /// `make_data` makes the data of each regular file. The table may go before its inodes.
    explicit InodeTable(Inode::MakeData make_data);
    InodeTable(const InodeTable&) = delete;
    InodeTable& operator=(const InodeTable&) = delete;
    ~InodeTable();

    /// The first inode, number 1, never forgotten. To be called once, before anything else: the
    /// device that it lies on is SOURCE's own.
    std::shared_ptr<Inode> add_root(backing::Object root);
    [[nodiscard]] std::shared_ptr<Inode> root() const;

    /// The inode that the kernel knows by this number; null if it knows none.
    [[nodiscard]] std::shared_ptr<Inode> find(model::InodeId id) const;
    /// The living inode of a backing object; null if there is none. The kernel need not know it.
    [[nodiscard]] std::shared_ptr<Inode> find(BackingKey key) const;
    /// The st_ino and d_ino of a backing object in this mount: see FileNumbers.
    [[nodiscard]] ino_t number_of(BackingKey key) const;
    /// The inode of `object`, which was found as `name` in the directory `parent`; made if need be.
    /// The kernel is being told of it once more: its nlookup is one higher.
    std::shared_ptr<Inode> remember(backing::Object object, model::InodeId parent,
                                    std::string_view name);
    /// The kernel is being told once more of an inode that it knows, under a name that does not
    /// count. Null if it does not know it.
    std::shared_ptr<Inode> remember_known(model::InodeId id);
    /// The kernel has forgotten it `count` times (FORGET). An unknown number is ignored.
    void forget(model::InodeId id, std::uint64_t count);

    /// Every living inode of a regular file.
    [[nodiscard]] std::vector<std::shared_ptr<Inode>> regular_files() const;
    /// The power has been cut: every living inode of a regular file is dead, and found by its
    /// backing object no more, so that the next lookup of its name makes a new one. These are they.
    std::vector<std::shared_ptr<Inode>> cut_off();
    /// A number that no inode has or gets.
    [[nodiscard]] model::InodeId next_id();

    /// How many inodes the kernel knows.
    [[nodiscard]] std::size_t known() const;
    /// How many inodes there are, known to the kernel or kept by the journal. Each holds a
    /// descriptor.
    [[nodiscard]] std::size_t living() const;
    /// `call` is called, with no lock held, whenever remember() finds `limit` inodes living, or, if
    /// that many could not be done without, some more than reclaim_ended() left. To be called
    /// before the first request.
    void set_limit(std::size_t limit, std::function<void()> call);

    /// Whether there are well more inodes than the limit, and than could not be done without, so
    /// that nothing should be remembered without need.
    [[nodiscard]] bool crowded() const;
    /// Holds up a thread that finds inodes faster than others go: until the table is not crowded
    /// any more, but for a tenth of a second at most. Those that are held open, however many, hold
    /// up nobody. To be called after the reply, when no lock of the kernel's waits for us.
    void wait_if_crowded();
    /// There is no descriptor left (EMFILE): has others let go, as at the limit, and waits for it.
    /// False if none has gone after a second.
    bool make_room();
    /// Waits until `most` inodes live or fewer; false if there are more after `patience`.
    bool wait_until_living(std::size_t most, std::chrono::milliseconds patience);
    /// What could be done without has gone: what lives now is in use.
    void reclaim_ended();

    /// An inode that nobody uses, and a name by which the kernel knows it.
    struct Unused {
        model::InodeId id;
        model::InodeId parent;
        std::string name;
    };
    /// Up to `count` inodes that have gone longest without being looked up, and that are neither
    /// open nor waiting for a commit: with the name they were last looked up by. A file is told
    /// once, until it is looked up again. Directories, only if `directories`, are told again and
    /// again: whether one is in use, by what is known inside it, only the kernel can say.
    std::vector<Unused> longest_unused(std::size_t count, bool directories);

  private:
    struct State;
    /// Shared with the deleters of the inodes, which take a dead inode out of the table.
    std::shared_ptr<State> state_;
};

} // namespace partialfs::fuse
