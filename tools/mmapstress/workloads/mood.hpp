// What a schedule of `wild` does, and how often.
#pragma once

#include "tools/mmapstress/workloads/dice.hpp"
#include "tools/schedule/op.hpp"

#include <cstdint>
#include <vector>

namespace mmapstress {

/// The arguments that an operation of `wild` gets.
enum class Shape : std::uint8_t {
    nothing,  ///< no file
    wait,     ///< a pause
    whole,    ///< a file
    mapping,  ///< all of a mapping
    field,    ///< a few bytes, like a field of a program's record
    chunk,    ///< up to 64 KiB
    bulk,     ///< up to 1 MiB, one after another: large folios
    pages,    ///< whole pages
    part,     ///< pages, or all of the file
    longer,   ///< bytes by which the file grows
    size,     ///< a size for the file
    cut,      ///< pages to take out
    gap,      ///< where pages are inserted
    other,    ///< a range, and another one to copy from
    twin,     ///< a file, and another one that it becomes a clone of
    past_eof, ///< behind the end of the file, in its last page
};

struct Choice {
    OpKind kind;
    unsigned weight;
    Shape shape;
};

/// Most faults need two or three operations that meet. That is rare if every kind of operation
/// comes up now and then. So half of the moods leave out about half of the choices, and choose some
/// of the rest ten times as often ("Swarm Testing", Groce et al., ISSTA 2012). The other half
/// choose among stores and up to five other choices, about equally often. Not thread-safe.
class Mood {
  public:
    /// The mood of a new schedule.
    explicit Mood(Dice& dice);

    /// Chooses the next operation. Stores are always among the choices.
    [[nodiscard]] const Choice& choose(Dice& dice) const;

  private:
    void choose_factors(Dice& dice);
    void choose_few(Dice& dice);

    std::vector<unsigned> weights_; ///< of each choice
    unsigned all_ = 0;              ///< the sum of these
};

} // namespace mmapstress
