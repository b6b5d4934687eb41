#include "under.h"

#include "child.h"
#include "files.h"
#include "serial.h"
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSeconds = 30 };
static pid_t daemon_pid = -1;

static int is_overlay(void) {
    return strcmp(setting("over", ""), "overlay") == 0;
}

int under_wanted(void) {
    return is_overlay() || setting("daemon", NULL) != NULL;
}

/// The path of a file of the daemon's directory.
static const char* daemon_file(const char* name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", setting("daemon", "/daemon"), name);
    return path;
}

static int mount_overlay(void) {
    static const char* const parts[] = {"/mnt/lower", "/mnt/upper", "/mnt/work"};
    for (int i = 0; i < 3; ++i)
        mkdir(parts[i], 0755); // EEXIST is as good
    if (mount("overlay", "/under", "overlay", 0,
              "lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work") == 0)
        return 0;
    serial_failed("mount the overlay", errno);
    return -1;
}

static int mounted(void) {
    char* mounts = file_text("/proc/mounts");
    const int found = mounts != NULL && strstr(mounts, " /under ") != NULL;
    free(mounts);
    return found;
}

int under_start(int run) {
    if (!under_wanted())
        return 0;
    if (is_overlay())
        return mount_overlay();
    char** argv = file_lines(daemon_file("argv"));
    if (argv == NULL || argv[0] == NULL) {
        serial_failed(daemon_file("argv"), errno);
        return -1;
    }
    daemon_pid = child_start(argv, NULL, daemon_file("output"));
    for (const double deadline = seconds_now() + kSeconds; daemon_pid > 0 && !mounted();) {
        if (seconds_now() > deadline || waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid) {
            serial_report(run, "daemon", daemon_file("output"));
            serial_failed("the daemon did not mount", ETIMEDOUT);
            return -1;
        }
        sleep_milliseconds(20);
    }
    return daemon_pid > 0 ? 0 : -1;
}

void under_report(int run) {
    if (access("/under/.partialfs/status", R_OK) != 0)
        return;
    if (serial_report(run, "status", "/under/.partialfs/status") != 0 ||
        serial_report(run, "ledger", "/under/.partialfs/ledger") != 0)
        serial_failed("read /under/.partialfs", errno);
}

void under_stop(int run) {
    if (!under_wanted())
        return;
    if (umount("/under") != 0)
        serial_failed("unmount what is over the test disk", errno);
    if (daemon_pid <= 0)
        return;
    const struct child_end end = child_wait(daemon_pid, kSeconds);
    if (end.timed_out || end.exited != 0) {
        serial_report(run, "daemon", daemon_file("output"));
        serial_event("failed", ",\"what\":\"the daemon ended with exit code %d, signal %d\"",
                     end.exited, end.signal);
    }
    daemon_pid = -1;
}
