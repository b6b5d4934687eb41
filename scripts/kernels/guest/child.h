// One program, run to its end or to its time limit.
#pragma once

#include <sys/types.h>

struct child_end {
    int exited;    ///< the exit code, or -1 if it was a signal
    int signal;    ///< the signal that ended it, or 0
    int timed_out; ///< its time was up and it was killed
    int stuck;     ///< it did not even end then: it hangs in the kernel
    double seconds;
};

/// Starts argv[0] in a process group of its own, with the environment of this process and the
/// extra KEY=VALUE words (NULL for none). What it prints goes to `output` (appended) unless that is
/// NULL. The process id, or -1 and errno.
pid_t child_start(char* const argv[], char* const extra[], const char* output);

/// Waits for it, at most `limit` seconds; then kills its process group and waits half a minute for that.
struct child_end child_wait(pid_t pid, long limit);

/// Seconds since some fixed moment.
double seconds_now(void);

/// Sleeps; for loops that poll.
void sleep_milliseconds(long milliseconds);
