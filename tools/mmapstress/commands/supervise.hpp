// A command's work in a process of its own, watched from outside.
//
// A system call on a filesystem that hangs never returns, and no signal ends the process that waits
// in it. The process that the user started touches none of the files, so it can always report what
// has hung, and exit.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace mmapstress {

struct Supervision {
    /// A call that takes longer has hung. 0: however long it takes.
    std::chrono::milliseconds hang_after{};
    /// Reports a hang to the user: the calls that have not returned, with the kernel's stack of
    /// each where it may be read. Called in the process that the user started.
    std::function<void(const std::vector<Problem>& hung)> tell;
};

/// Does `work` in a child process and returns its verdict; Verdict::hung as soon as one of its
/// calls has hung, whether the child can be killed or not. The first SIGINT, SIGTERM or SIGHUP
/// (unless it is ignored, as by nohup) asks the work to stop (stop_signalled()); the second of any
/// kind ends both processes at once. If the child is killed by a signal, so is the caller. Call it
/// before the process has other threads.
Verdict supervise(const Supervision& supervision, const std::function<Verdict()>& work);

/// A `tell` that writes to standard error.
void complain_of_hang(const std::vector<Problem>& hung);

/// In the child: whether the work is to stop. Any thread.
bool stop_signalled();

} // namespace mmapstress
