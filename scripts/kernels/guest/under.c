#include "under.h"

#include "child.h"
#include "files.h"
#include "nfs.h"
#include "serial.h"
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSeconds = 30, kServerEnd = 100 }; // the descriptor at which 9p's server has its client
static pid_t daemon_pid = -1;

static int is_over(const char* kind) {
    return strcmp(setting("over", ""), kind) == 0;
}

int under_wanted(void) {
    return is_over("overlay") || is_over("nfs") || setting("daemon", NULL) != NULL;
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

static int start_daemon(void) {
    char** argv = file_lines(daemon_file("argv"));
    if (argv == NULL || argv[0] == NULL) {
        serial_failed(daemon_file("argv"), errno);
        return -1;
    }
    daemon_pid = child_start(argv, NULL, daemon_file("output"));
    return daemon_pid > 0 ? 0 : -1;
}

/// Starts 9p's server at one end of a socket, and mounts at the other. The server ends after the
/// unmount, when nobody else has the other end.
static int mount_9p(int run) {
    int ends[2];
    char options[256];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || dup2(ends[1], kServerEnd) < 0) {
        serial_failed("make a socket for 9p", errno);
        return -1;
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    int result = start_daemon();
    close(kServerEnd);
    snprintf(options, sizeof options,
             "trans=fd,rfdno=%d,wfdno=%d,version=9p2000.L,uname=root,aname=/mnt,%s", ends[0],
             ends[0], setting("over_options", ""));
    if (result == 0 && (result = mount("9p", "/under", "9p", MS_NOATIME, options)) != 0) {
        serial_report(run, "daemon", daemon_file("output"));
        serial_failed("mount by 9p", errno);
    }
    close(ends[0]);
    return result;
}

static int mount_fuse(int run) {
    if (start_daemon() != 0)
        return -1;
    for (const double deadline = seconds_now() + kSeconds; !mounted();) {
        if (seconds_now() > deadline || waitpid(daemon_pid, NULL, WNOHANG) == daemon_pid) {
            serial_report(run, "daemon", daemon_file("output"));
            serial_failed("the daemon did not mount", ETIMEDOUT);
            return -1;
        }
        sleep_milliseconds(20);
    }
    return 0;
}

int under_start(int run) {
    return !under_wanted()      ? 0
           : is_over("overlay") ? mount_overlay()
           : is_over("nfs")     ? nfs_start()
           : is_over("9p")      ? mount_9p(run)
                                : mount_fuse(run);
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
    if (is_over("nfs"))
        nfs_stop();
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
