// clear_page_dirty_for_io, page_mkclean and ->writepage: how the writeback thread, an fsync or an
// msync writes a page. Most of the differences between the eras are here.
#pragma once

#include "tools/vmmodel/machine/stepper.hpp"

namespace vmmodel {

class WritepageSteps : public Stepper {
  public:
    using Stepper::Stepper;

    /// The writeback thread: goes on, or begins with a page.
    void writeback();
    /// lock_page, the first step; `flags` are those that the thread's Actor keeps meanwhile.
    State& lock_page(Who who, int page, std::uint8_t flags);
    /// The next step of a thread that holds the page lock in order to write the page.
    void go_on(Who who, const Actor& actor);

  private:
    [[nodiscard]] std::uint8_t all_ptes() const;
    State& test_clear(Who who, int page);
    void mkclean(Who who, const Actor& actor);
    void after_mkclean(Actor& actor) const;
    void writepage(Who who, int page);
};

} // namespace vmmodel
