// What a process does: stores and their faults, write(2), munmap, truncate; fsync and msync begin
// here and go on in SyncSteps.
#pragma once

#include "tools/vmmodel/machine/stepper.hpp"

namespace vmmodel {

class ProcessSteps : public Stepper {
  public:
    using Stepper::Stepper;

    /// Whatever the process can do next: go on with what it is in the middle of, or begin
    /// something.
    void go_on(int process);

  private:
    /// The thread has nothing more to do: it forgets where it was.
    static void finish(State& state, Who who) { actor_of(state, who) = Actor{}; }
    void idle(int process);
    void store(int process, int page, int block, bool counts);
    void write_copy(int process, int page, int block);
    void write_commit(int process);
    void zap(int process, int page);
    void truncate(int process, int page);
};

} // namespace vmmodel
