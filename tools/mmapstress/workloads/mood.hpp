// What a schedule of `wild` does, and how often.
#pragma once

#include "tools/mmapstress/workloads/dice.hpp"
#include "tools/schedule/op.hpp"

#include <cstdint>
#include <vector>

namespace mmapstress {

/// What an operation of `wild` is given.
enum class Shape : std::uint8_t {
    nothing,  ///< no file
    wait,     ///< a pause
    whole,    ///< a file
    mapping,  ///< a mapping, all of it
    field,    ///< a few bytes, as a program's field
    chunk,    ///< up to 64 KiB
    bulk,     ///< up to 1 MiB, one after another: large folios
    pages,    ///< whole pages
    part,     ///< pages, or all of the file
    longer,   ///< what the file grows by
    size,     ///< a size for the file
    cut,      ///< pages to take out
    gap,      ///< where pages are to be put in
    other,    ///< a place, and one to copy from
    twin,     ///< a file, and another one to be made like
    past_eof, ///< behind the end of the file, in its last page
};

struct Choice {
    OpKind kind;
    unsigned weight;
    Shape shape;
};

/// Some things not at all and some many times as often as others, for two that must meet rarely do
/// so where everything is done a little ("Swarm Testing", Groce et al., ISSTA 2012).
/// Not thread-safe.
class Mood {
  public:
    /// Of the next schedule.
    explicit Mood(Dice& dice);

    /// The next operation. Stores are always among them.
    [[nodiscard]] const Choice& choose(Dice& dice) const;

  private:
    std::vector<unsigned> weights_; ///< of each choice
    unsigned all_;                  ///< the sum of these
};

} // namespace mmapstress
