// Writeback errors: each is reported once to every file description, or only to the first that
// asks.
#pragma once

#include <cstdint>

namespace partialfs::file {

/// Follows the kernel's errseq_t (lib/errseq.c): every recorded error has a place in a sequence;
/// every file description remembers the place up to which errors were reported to it.
/// Not thread-safe: guarded by the inode's mutex.
class ErrorSequence {
  public:
    /// How far the sequence has been reported to a file description.
    using Position = std::uint64_t;

    void record(int error) {
        error_ = error;
        ++last_;
        told_somebody_ = false;
    }
    /// The position of a new description: an error that nobody has seen yet will be reported to it.
    [[nodiscard]] Position sample() const {
        return told_somebody_ || last_ == 0 ? last_ : last_ - 1;
    }
    /// The latest error, if `position` lies before it, or 0; moves `position` to the end.
    int check_and_advance(Position& position) {
        if (position == last_) {
            return 0;
        }
        position = last_;
        told_somebody_ = true;
        return error_;
    }

    /// As the kernels before 4.13, which had a flag of the inode: the latest error, or 0 if it was
    /// already reported to somebody.
    int take(Position& position) {
        if (told_somebody_ || last_ == 0) {
            return 0;
        }
        return check_and_advance(position = last_ - 1);
    }
    /// Errors up to now are not reported to new descriptions: the inode has left memory.
    void forget() { told_somebody_ = true; }

  private:
    int error_ = 0;
    Position last_ = 0;
    bool told_somebody_ = false;
};

} // namespace partialfs::file
