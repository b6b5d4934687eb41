// What happens by itself: kjournald's commits, the disk, and reclaim.
#pragma once

#include "tools/vmmodel/machine/stepper.hpp"

namespace vmmodel {

class BackgroundSteps : public Stepper {
  public:
    using Stepper::Stepper;

    /// The running transaction becomes the committing one. Counted even if it has no data.
    void commit_start();
    /// A buffer of the page is written by the commit that is under way.
    void kjournald_page(int page);
    /// The page's I/O ends.
    void disk(int page);
    /// The page's PTEs, its buffers or the page itself are freed, as far as they can be.
    void reclaim(int page);

  private:
    [[nodiscard]] partialfs::model::BlockMask flush_candidates(const PageCell& cell) const;
    void flush(PageCell& cell, partialfs::model::BlockMask buffer) const;
    void try_to_unmap(int process, int page);
    void evict(int page);
    void strip(int page);
};

} // namespace vmmodel
