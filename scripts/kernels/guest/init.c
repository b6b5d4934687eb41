// The first process of the guest. For each of the numbered directories of /runs, whose file
// `settings` names a disk and its filesystem: mounts that filesystem anew, makes sure that a commit
// there really writes, runs the program that the directory's file `argv` names, unmounts, mounts
// again, has the program that `verify` names compare, and prints what they reported. Then it
// reboots, which ends QEMU.
//
// With the setting `device` the program gets the disk itself instead, as it is.
//
// A program that cannot even be killed hangs in the kernel: that ends the guest at once. The host
// boots another one that begins with the run after it (the setting "first").
//
// Everything that goes wrong is told as an event "failed"; the host counts a run without its
// "run" event, its report and its exit code as "could not tell".
#include "child.h"
#include "commit.h"
#include "files.h"
#include "flash.h"
#include "machine.h"
#include "serial.h"
#include "settings.h"
#include "shell.h"
#include "under.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSecondsToLetGo = 10 };
static char disk[kDiskPath];

/// Where programs run: on the test disk, or on what is mounted over it.
static const char* test_root(void) {
    return under_wanted() ? "/under" : "/mnt";
}

/// Sets `disk` to the one that the settings name. 0, or -1, told as an event.
static int find_disk(void) {
    if (machine_find_disk(setting("disk", "auto"), 20, disk) == 0)
        return 0;
    serial_failed("find the test disk (no vda, hda or sda: is its driver built in?)", errno);
    return -1;
}

static int mount_disk(void) {
    char volume[kVolumeName];
    const int is_flash = setting_number("flash", 0) != 0;
    if (is_flash && flash_attach(disk, volume) != 0)
        return -1;
    if (mount(is_flash ? volume : disk, "/mnt", setting("fs", "ext3"), MS_NOATIME,
              setting("options", "")) == 0)
        return 0;
    serial_failed("mount the test disk", errno);
    flash_detach();
    return -1;
}

/// Where the engine's own report is to survive: a partition of ext2's format at /note, if the
/// settings name one. It asks for no flush, which would flush the test disk, too.
static int mount_notebook(void) {
    char path[kDiskPath];
    if (setting("notebook", NULL) == NULL)
        return 0;
    if (machine_find_disk(setting("notebook", ""), 20, path) == 0 &&
        mount(path, "/note", "ext4", MS_NOATIME | MS_DIRSYNC, "nobarrier") == 0)
        return 0;
    serial_failed("mount the notebook", errno);
    return -1;
}

static void unmount_notebook(void) {
    if (setting("notebook", NULL) != NULL && umount("/note") != 0)
        serial_failed("unmount the notebook", errno);
}

/// btrfs remembers every device that it has seen by what is written there, and the disks of several
/// cuts say the same. Without btrfs, nothing.
static void forget_btrfs_devices(void) {
    enum {
        kForgetDev = 0x50009405
    }; // BTRFS_IOC_FORGET_DEV; without a name: all that are not mounted
    static char everything[4096];
    const int fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    if (ioctl(fd, (int)kForgetDev, everything) != 0)
        serial_failed("BTRFS_IOC_FORGET_DEV", errno);
    close(fd);
}

static int unmount_disk(void) {
    // What served it may let go of it a moment later.
    const double deadline = seconds_now() + kSecondsToLetGo;
    int result = umount("/mnt");
    while (result != 0 && errno == EBUSY && seconds_now() < deadline) {
        sleep_milliseconds(20);
        result = umount("/mnt");
    }
    if (result == 0)
        return flash_detach();
    serial_failed("unmount the test disk", errno);
    return -1;
}

/// The text with @RUN@ and @DIR@ replaced, from malloc.
static char* filled_in(const char* text, const char* run, const char* dir) {
    char* out = calloc(1, strlen(text) + 256);
    if (out == NULL)
        return NULL;
    for (char* end = out; *text != '\0'; end += strlen(end)) {
        if (strncmp(text, "@RUN@", 5) == 0 || strncmp(text, "@DIR@", 5) == 0) {
            strcpy(end, text[1] == 'R' ? run : dir);
            text += 5;
        } else {
            *end = *text++;
        }
    }
    return out;
}

static char** filled_in_lines(const char* file, const char* run, const char* dir) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", run, file);
    char** lines = file_lines(path);
    for (int i = 0; lines != NULL && lines[i] != NULL; ++i)
        lines[i] = filled_in(lines[i], run, dir);
    return lines;
}

/// Runs the program of `file` (argv or verify) and prints its end and its report. 1 if there was
/// a report.
static int run_program(int number, const char* file, const char* report, const char* run,
                       const char* dir) {
    char** argv = filled_in_lines(file, run, dir);
    if (argv == NULL || argv[0] == NULL)
        return 0; // no verify: nothing to do
    char** extra = filled_in_lines("env", run, dir);
    char output[128];
    snprintf(output, sizeof output, "%s/%s.out", run, file);
    const long long before = machine_sectors_written(disk);
    const pid_t pid = child_start(argv, extra, output);
    if (pid < 0) {
        serial_failed(argv[0], errno);
        return 0;
    }
    const struct child_end end = child_wait(pid, setting_number("timeout", 120));
    char* counters = machine_probe_counters();
    char path[128];
    snprintf(path, sizeof path, "%s/%s", run, report);
    const int reported = serial_report(number, file, path) == 0;
    if (!reported)
        serial_report(number, "output", output);
    serial_event("program",
                 ",\"run\":%d,\"kind\":\"%s\",\"exit\":%d,\"signal\":%d,\"timed_out\":%s,"
                 "\"seconds\":%.2f,\"sectors_written\":%lld,\"reported\":%s%s",
                 number, file, end.exited, end.signal, end.timed_out ? "true" : "false",
                 end.seconds, machine_sectors_written(disk) - before, reported ? "true" : "false",
                 counters);
    free(counters);
    if (end.stuck) {
        serial_event("hang", ",\"what\":\"the program cannot be killed: it hangs in the kernel\"");
        machine_end_hung();
    }
    return reported;
}

/// What the settings want the kernel to do again and again while a run is going on: a file of
/// /proc/sys/vm, or NULL.
static const char* beside_file(void) {
    const char* beside = setting("beside", "");
    return strcmp(beside, "compact") == 0 ? "/proc/sys/vm/compact_memory" // moves pages about
           : strcmp(beside, "drop-caches") == 0
               ? "/proc/sys/vm/drop_caches" // throws out what is clean
               : NULL;
}

/// The process that has the kernel do that, or -1.
static pid_t start_beside(void) {
    const char* file = beside_file();
    if (file == NULL)
        return -1;
    const pid_t pid = fork();
    while (pid == 0) {
        if (file_put(file, "1") != 0)
            _exit(1);
        sleep_milliseconds(100);
    }
    if (pid < 0)
        serial_failed("fork", errno);
    return pid;
}

static void end_beside(pid_t pid) {
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    int status = 0;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
        serial_failed(beside_file(), ENOSYS);
}

/// Runs the program with a directory that is made for it. 1 if there was a report.
static int run_in_new(int number, const char* run, const char* dir) {
    if (mkdir(dir, 0755) != 0) {
        serial_failed("make the run's directory", errno);
        return 0;
    }
    if (setting("notebook", NULL) != NULL)
        sync();
    const pid_t beside = start_beside();
    const int reported = run_program(number, "argv", "report.json", run, dir);
    end_beside(beside);
    return reported;
}

static void run_and_compare(int number, const char* run) {
    char dir[64];
    int reported = 0;
    snprintf(dir, sizeof dir, "%s/run-%d", test_root(), number);
    if (mount_disk() != 0)
        return;
    if (mount_notebook() == 0 && under_start(number) == 0) {
        reported = commit_warm_up(number, test_root(), disk) == 0 && run_in_new(number, run, dir);
        under_report(number);
        under_stop(number);
    }
    unmount_notebook();
    if (setting("notebook", NULL) != NULL) { // what is left is for others to see
        unmount_disk();
        return;
    }
    if (unmount_disk() != 0 || mount_disk() != 0)
        return;
    if (under_start(number) == 0) {
        if (reported)
            run_program(number, "verify", "verify.json", run, dir);
        if (remove_tree(dir) != 0 && errno != ENOENT)
            serial_failed("remove the run's directory", errno);
        under_stop(number);
    }
    unmount_disk();
}

/// The disk is as a power cut may have left it: mounts it, and has the program compare.
static void check_after_cut(int number, const char* run) {
    forget_btrfs_devices();
    if (mount_disk() != 0)
        return;
    mkdir("/mnt/run-1", 0755); // it was synced before the run; if it is gone, its files are missing
    if (mount_notebook() == 0) {
        run_program(number, "argv", "report.json", run, "/mnt/run-1");
        unmount_notebook();
    }
    unmount_disk();
}

/// The disk itself is stored into, with no filesystem. Its page cache is gone once nobody has it
/// open: the comparison reads what is on disk.
static void run_on_device(int number, const char* run) {
    if (run_program(number, "argv", "report.json", run, disk))
        run_program(number, "verify", "verify.json", run, "/dev");
}

static void one_run(int number) {
    char run[32];
    char own[48];
    snprintf(run, sizeof run, "/runs/%d", number);
    snprintf(own, sizeof own, "%s/settings", run);
    settings_enter(own);
    serial_event("begin", ",\"run\":%d", number);
    if (find_disk() == 0)
        (setting_number("device", 0)  ? run_on_device
         : setting_number("check", 0) ? check_after_cut
                                      : run_and_compare)(number, run);
    settings_leave();
    serial_event("run", ",\"run\":%d,\"tainted\":%ld", number, machine_tainted());
}

static void run_shell(void) {
    const int found = find_disk() == 0;
    if (found && setting_number("device", 0))
        printf("The test disk is %s, the runs are in /runs. exit ends QEMU.\n", disk);
    else if (found && mount_disk() == 0)
        puts("The test filesystem is at /mnt, the runs are in /runs. exit ends QEMU.");
    shell(setting("shell", "/bin/sh"));
    umount("/mnt");
}

int main(void) {
    machine_set_up();
    settings_read();
    settings_export();
    struct utsname name;
    uname(&name);
    serial_event("boot", ",\"release\":\"%s\",\"machine\":\"%s\",\"cpus\":%ld,\"tainted\":%ld",
                 name.release, name.machine, sysconf(_SC_NPROCESSORS_ONLN), machine_tainted());
    const char* failed = NULL;
    if (machine_load_modules(&failed) != 0) {
        serial_failed(failed, errno);
        machine_reboot();
    }
    if (setting_number("writeback", 0) == 0 && machine_stop_background_writeback(&failed) != 0)
        serial_failed(failed, errno);
    if (setting("shell", NULL) != NULL) {
        run_shell();
        machine_reboot();
    }
    const int first = (int)setting_number("first", 1);
    for (int number = first; number <= setting_number("runs", 0); ++number)
        one_run(number);
    serial_event("end", "%s", "");
    machine_reboot();
}
