#include "flash.h"

#include "child.h"
#include "files.h"
#include "machine.h"
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// Of the kernel's mtd/ubi-user.h, which musl does not have.
struct attach_request {
    int32_t ubi_number;
    int32_t mtd_number;
    int32_t header_offset;
    int8_t padding[12];
};
struct volume_request {
    int32_t id;
    int32_t alignment;
    int64_t bytes;
    int8_t type;
    uint8_t flags;
    int16_t name_length;
    int8_t padding[4];
    char name[128];
} __attribute__((packed));
enum { kDynamicVolume = 3, kEraseBlock = 128 << 10 };
#define ATTACH _IOW('o', 64, struct attach_request)
#define DETACH _IOW('o', 65, int32_t)
#define MAKE_VOLUME _IOW('o', 0, struct volume_request)

static int32_t attached = -1; // UBI's number, which is that of the MTD device, too

static int failed(const char* what) {
    serial_failed(what, errno);
    return -1;
}

/// The number of the MTD device that block2mtd made of the disk; -1 if there is none.
static int32_t mtd_of(const char* disk_path) {
    char** lines = file_lines("/proc/mtd");
    int32_t number = -1;
    for (int i = 0; lines != NULL && lines[i] != NULL; ++i) {
        if (strstr(lines[i], disk_path) != NULL)
            sscanf(lines[i], "mtd%d:", &number);
        free(lines[i]);
    }
    free(lines);
    return number;
}

static int32_t make_mtd(const char* disk_path) {
    char words[kDiskPath + 16];
    snprintf(words, sizeof words, "%s,%d", disk_path, kEraseBlock);
    if (file_put("/sys/module/block2mtd/parameters/block2mtd", words) != 0)
        return -1;
    return mtd_of(disk_path);
}

/// One ioctl of a device file. 0, or -1 and errno.
static int control(const char* path, unsigned long request, const void* argument) {
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const int result = ioctl(fd, (int)request, argument);
    const int error = errno;
    close(fd);
    errno = error;
    return result < 0 ? -1 : 0;
}

/// A number that sysfs has about the attached UBI device; 0 if it does not say.
static long long about_ubi(const char* name) {
    char path[64];
    snprintf(path, sizeof path, "/sys/class/ubi/ubi%d/%s", attached, name);
    char* text = file_text(path);
    const long long number = text == NULL ? 0 : atoll(text);
    free(text);
    return number;
}

/// Of all erase blocks that are left.
static int make_volume(void) {
    char path[32];
    struct volume_request request = {
        .alignment = 1, .type = kDynamicVolume, .name_length = 4, .name = "test"};
    request.bytes = about_ubi("avail_eraseblocks") * about_ubi("eraseblock_size");
    snprintf(path, sizeof path, "/dev/ubi%d", attached);
    return control(path, MAKE_VOLUME, &request);
}

int flash_attach(const char* disk_path, char volume[kVolumeName]) {
    struct attach_request request = {0};
    request.mtd_number = mtd_of(disk_path);
    if (request.mtd_number < 0)
        request.mtd_number = make_mtd(disk_path);
    request.ubi_number = request.mtd_number;
    if (request.mtd_number < 0)
        return failed("make a flash chip of the test disk");
    if (control("/dev/ubi_ctrl", ATTACH, &request) != 0)
        return failed("attach UBI");
    attached = request.ubi_number;
    if (about_ubi("volumes_count") == 0 && make_volume() != 0)
        return failed("make a UBI volume");
    snprintf(volume, kVolumeName, "ubi%d_0", attached);
    return 0;
}

int flash_detach(void) {
    if (attached >= 0 && control("/dev/ubi_ctrl", DETACH, &attached) != 0)
        return failed("detach UBI");
    attached = -1;
    return 0;
}

int flash_write_out(const char* disk_path) {
    enum { kRest = 200 }; // milliseconds without a write
    const int fd = open(disk_path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    long long before = 0;
    int result = 0;
    do {
        before = machine_sectors_written(disk_path);
        sleep_milliseconds(kRest);
        result = fsync(fd);
    } while (result == 0 && machine_sectors_written(disk_path) != before);
    const int error = errno;
    close(fd);
    errno = error;
    return result;
}
