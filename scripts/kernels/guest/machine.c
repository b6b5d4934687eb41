#include "machine.h"

#include "child.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void make_node(const char* path, mode_t mode, unsigned major, unsigned minor) {
    mknod(path, mode, makedev(major, minor)); // EEXIST is as good
}

void machine_set_up(void) {
    umask(022);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mkdir("/tmp", 01777);
    mkdir("/mnt", 0755);
    mkdir("/under", 0755);
    mkdir("/note", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    make_node("/dev/console", S_IFCHR | 0600, 5, 1);
    make_node("/dev/null", S_IFCHR | 0666, 1, 3);
    make_node("/dev/zero", S_IFCHR | 0666, 1, 5);
    make_node("/dev/urandom", S_IFCHR | 0666, 1, 9);
    make_node("/dev/ttyS0", S_IFCHR | 0600, 4, 64);
    make_node("/dev/fuse", S_IFCHR | 0666, 10, 229);
    make_node("/dev/btrfs-control", S_IFCHR | 0600, 10, 234);
    const int console = open("/dev/console", O_RDWR);
    for (int fd = 0; console >= 0 && fd <= 2; ++fd)
        dup2(console, fd);
    if (console > 2)
        close(console);
}

int machine_load_modules(const char** failed) {
    char** names = file_lines("/modules/order");
    for (int i = 0; names != NULL && names[i] != NULL; ++i) {
        char path[256];
        snprintf(path, sizeof path, "/modules/%s", names[i]);
        size_t length = 0;
        char* image = file_bytes(path, &length);
        *failed = names[i];
        if (image == NULL)
            return -1;
        const long error = syscall(SYS_init_module, image, length, "");
        free(image);
        // ENODEV: a driver for hardware that is not there, such as a faster checksum.
        if (error != 0 && errno != EEXIST && errno != ENODEV)
            return -1;
    }
    return 0;
}

/// Makes the disk's node from /proc/partitions, for a kernel without devtmpfs. 1 if it is there.
static int look_for_disk(const char* name, char path[kDiskPath]) {
    char** lines = file_lines("/proc/partitions");
    int found = 0;
    for (int i = 0; lines != NULL && lines[i] != NULL && !found; ++i) {
        unsigned major = 0;
        unsigned minor = 0;
        char partition[32] = "";
        if (sscanf(lines[i], "%u %u %*u %31s", &major, &minor, partition) == 3 &&
            strcmp(partition, name) == 0) {
            snprintf(path, kDiskPath, "/dev/%s", name);
            make_node(path, S_IFBLK | 0600, major, minor);
            found = 1;
        }
    }
    for (int i = 0; lines != NULL && lines[i] != NULL; ++i)
        free(lines[i]);
    free(lines);
    return found;
}

int machine_find_disk(const char* wanted, long seconds, char path[kDiskPath]) {
    static const char* const usual[] = {"vda", "hda", "sda"};
    const double deadline = seconds_now() + (double)seconds;
    do {
        if (strcmp(wanted, "auto") != 0 && look_for_disk(wanted, path))
            return 0;
        for (int i = 0; strcmp(wanted, "auto") == 0 && i < 3; ++i)
            if (look_for_disk(usual[i], path))
                return 0;
        sleep_milliseconds(20);
    } while (seconds_now() < deadline);
    errno = ENXIO;
    return -1;
}

long long machine_sectors_written(const char* disk_path) {
    const char* name = strrchr(disk_path, '/');
    char** lines = file_lines("/proc/diskstats");
    long long sectors = -1;
    for (int i = 0; lines != NULL && lines[i] != NULL; ++i) {
        char disk[32] = "";
        long long written = 0;
        if (name != NULL &&
            sscanf(lines[i], "%*u %*u %31s %*u %*u %*u %*u %*u %*u %lld", disk, &written) == 2 &&
            strcmp(disk, name + 1) == 0)
            sectors = written;
        free(lines[i]);
    }
    free(lines);
    return sectors;
}

int machine_stop_background_writeback(const char** failed) {
    static const struct {
        const char* path;
        const char* value;
    } settings[] = {
        // An hour, and not the 0 that turns it off: reiserfs takes this for the delay after which
        // it
        // commits every transaction, and 0 makes it do so at once, in between the operations.
        {"/proc/sys/vm/dirty_writeback_centisecs", "360000"},
        {"/proc/sys/vm/dirty_expire_centisecs", "8640000"},
        {"/proc/sys/vm/dirty_ratio", "95"},
        {"/proc/sys/vm/dirty_background_ratio", "90"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i)
        if (file_put(settings[i].path, settings[i].value) != 0) {
            *failed = settings[i].path;
            return -1;
        }
    return 0;
}

char* machine_probe_counters(void) {
    static const char* const modules[] = {"mkclean_lost", "mkclean_kept"};
    static const char* const counters[] = {"asked", "answered_dirty", "answers_lost", "missed"};
    char* members = calloc(1, 256);
    size_t used = 0;
    for (int m = 0; members != NULL && m < 2; ++m)
        for (int c = 0; c < 4; ++c) {
            char path[128];
            snprintf(path, sizeof path, "/sys/module/%s/parameters/%s", modules[m], counters[c]);
            char* text = file_text(path);
            if (text != NULL)
                used += (size_t)snprintf(members + used, 256 - used, ",\"%s\":%lld", counters[c],
                                         atoll(text));
            free(text);
        }
    return members;
}

long machine_tainted(void) {
    char* text = file_text("/proc/sys/kernel/tainted");
    const long tainted = text == NULL ? 0 : atol(text);
    free(text);
    return tainted;
}

void machine_end_hung(void) {
    file_put("/proc/sysrq-trigger", "w");
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}

void machine_reboot(void) {
    sync();
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
