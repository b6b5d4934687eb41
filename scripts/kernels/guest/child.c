#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_milliseconds(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
        ;
}

pid_t child_start(char* const argv[], char* const extra[], const char* output) {
    fflush(stdout);
    const pid_t pid = fork(); // not posix_spawn: it needs pipe2(2), which 2.6.19 does not have
    if (pid != 0)
        return pid;
    setpgid(0, 0);
    if (output != NULL) {
        const int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
            _exit(126);
        close(fd);
    }
    for (; extra != NULL && *extra != NULL; ++extra)
        putenv(*extra);
    execv(argv[0], argv);
    fprintf(stderr, "init: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

struct child_end child_wait(pid_t pid, long limit) {
    enum { kSecondsToDie = 30 };
    struct child_end end = {-1, 0, 0, 0, 0};
    const double start = seconds_now();
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (!end.timed_out && seconds_now() - start > (double)limit) {
            end.timed_out = 1;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
        if (seconds_now() - start > (double)(limit + kSecondsToDie)) {
            end.stuck = 1;
            break;
        }
        sleep_milliseconds(10);
    }
    end.seconds = seconds_now() - start;
    if (end.stuck)
        end.signal = SIGKILL;
    else if (WIFEXITED(status))
        end.exited = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        end.signal = WTERMSIG(status);
    return end;
}
