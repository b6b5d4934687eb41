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

/// Most faults take two or three things that meet, which rarely happens where everything is done a
/// little. So half of the moods leave out half of the choices and do some of the rest many times as
/// often as others ("Swarm Testing", Groce et al., ISSTA 2012), and the other half do nothing but
/// store and a few choices, each as often. Not thread-safe.
class Mood {
  public:
    /// Of the next schedule.
    explicit Mood(Dice& dice);

    /// The next operation. Stores are always among them.
    [[nodiscard]] const Choice& choose(Dice& dice) const;

  private:
    void choose_factors(Dice& dice);
    void choose_few(Dice& dice);

    std::vector<unsigned> weights_; ///< of each choice
    unsigned all_ = 0;              ///< the sum of these
};

} // namespace mmapstress
