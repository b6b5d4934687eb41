#include "commit.h"

#include "flash.h"
#include "machine.h"
#include "serial.h"
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/// A new file with a few bytes in it, fsynced and removed. 0, or -1 and errno.
static int commit_once(const char* path) {
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    const int failed = write(fd, "commit\n", 7) != 7 || fsync(fd) != 0;
    const int error = errno;
    close(fd);
    unlink(path);
    errno = error;
    return failed ? -1 : 0;
}

/// The sectors written to the disk so far, with those of what the flash chip that it may be has
/// got; -1 if not known.
static long long sectors_written(const char* disk_path) {
    if (setting_number("flash", 0) != 0 && flash_write_out(disk_path) != 0)
        return -1;
    return machine_sectors_written(disk_path);
}

int commit_warm_up(int run, const char* directory, const char* disk_path) {
    enum { kWarmUps = 2 };
    long long before = 0;
    for (int i = 0; i <= kWarmUps; ++i) {
        char path[128];
        snprintf(path, sizeof path, "%s/.commit-%d-%d", directory, run, i);
        before = sectors_written(disk_path);
        if (commit_once(path) != 0) {
            serial_failed("fsync a new file on the test disk", errno);
            return -1;
        }
    }
    const long long after = sectors_written(disk_path);
    const int wrote = before >= 0 && after > before;
    serial_event("commit-probe", ",\"run\":%d,\"sectors_before\":%lld,\"sectors_after\":%lld", run,
                 before, after);
    if (!wrote)
        serial_event("failed", ",\"what\":\"commit: a new file was fsynced and nothing was "
                               "written to the disk\",\"errno\":0");
    return wrote ? 0 : -1;
}
