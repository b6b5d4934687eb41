#include "under.h"

#include "child.h"
#include "files.h"
#include "serial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSeconds = 30 };
static pid_t daemon_pid = -1;

int under_wanted(void) {
    return access("/partialfs/argv", R_OK) == 0;
}

static int mounted(void) {
    char* mounts = file_text("/proc/mounts");
    const int found = mounts != NULL && strstr(mounts, " /under ") != NULL;
    free(mounts);
    return found;
}

int under_start(void) {
    if (!under_wanted())
        return 0;
    char** argv = file_lines("/partialfs/argv");
    if (argv == NULL || argv[0] == NULL) {
        serial_failed("/partialfs/argv", errno);
        return -1;
    }
    daemon_pid = child_start(argv, NULL, "/partialfs/output");
    for (const double deadline = seconds_now() + kSeconds; daemon_pid > 0 && !mounted();) {
        if (seconds_now() > deadline || waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid) {
            serial_report(0, "partialfs", "/partialfs/output");
            serial_failed("partialfs did not mount", ETIMEDOUT);
            return -1;
        }
        sleep_milliseconds(20);
    }
    return daemon_pid > 0 ? 0 : -1;
}

void under_report(int run) {
    if (!under_wanted() || daemon_pid <= 0)
        return;
    if (serial_report(run, "status", "/under/.partialfs/status") != 0 ||
        serial_report(run, "ledger", "/under/.partialfs/ledger") != 0)
        serial_failed("read /under/.partialfs", errno);
}

void under_stop(void) {
    if (!under_wanted() || daemon_pid <= 0)
        return;
    if (umount("/under") != 0)
        serial_failed("unmount partialfs", errno);
    const struct child_end end = child_wait(daemon_pid, kSeconds);
    if (end.timed_out || end.exited != 0) {
        serial_report(0, "partialfs", "/partialfs/output");
        serial_event("failed", ",\"what\":\"partialfs ended with exit code %d, signal %d\"",
                     end.exited, end.signal);
    }
    daemon_pid = -1;
}
