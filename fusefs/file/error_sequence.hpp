// Errors of writeback: each told once to every file description, or to the first that asks.
#pragma once

#include <cstdint>

namespace partialfs::file {

/// Follows the kernel's errseq_t (lib/errseq.c): every recorded error has a place in a sequence;
/// every file description remembers the place up to which it has been told.
/// Not thread-safe: guarded by the inode's mutex.
class ErrorSequence {
  public:
    /// How much of the sequence a file description has been told.
    using Position = std::uint64_t;

    void record(int error) {
        error_ = error;
        ++last_;
        told_somebody_ = false;
    }
    /// For a new description: an error that nobody has been told of yet will be told to it.
    [[nodiscard]] Position sample() const {
        return told_somebody_ || last_ == 0 ? last_ : last_ - 1;
    }
    /// The error not yet told at `position`, or 0; moves `position` up to now.
    int check_and_advance(Position& position) {
        if (position == last_) {
            return 0;
        }
        position = last_;
        told_somebody_ = true;
        return error_;
    }

    /// As the kernels before 4.13, which had a flag of the inode: the latest error, unless somebody
    /// has been told of it already.
    int take(Position& position) {
        if (told_somebody_ || last_ == 0) {
            return 0;
        }
        return check_and_advance(position = last_ - 1);
    }
    /// Nobody is told any more of what has happened up to now: the inode has left memory.
    void forget() { told_somebody_ = true; }

  private:
    int error_ = 0;
    Position last_ = 0;
    bool told_somebody_ = false;
};

} // namespace partialfs::file
