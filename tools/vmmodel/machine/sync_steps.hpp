// fsync and msync(MS_SYNC): write every dirty page, wait, and only then claim that all is on disk.
#pragma once

#include "tools/vmmodel/machine/stepper.hpp"

namespace vmmodel {

class SyncSteps : public Stepper {
  public:
    using Stepper::Stepper;

    /// `event` is fsync or msync. What must be on disk when it returns is what memory holds now.
    void begin(int process, Event event);
    /// The next page to write, or the return.
    void go_on(int process);

  private:
    void collect_dirty_bit(PageCell& cell, int process) const;
    void sync_return(int process);
};

} // namespace vmmodel
