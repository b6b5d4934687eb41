// A disk as a flash chip, for ubifs: block2mtd makes an MTD device of it, and UBI a volume of that.
// The chip's content is in the page cache of the disk's device, which only flash_write_out() writes
// to the disk.
#pragma once

enum { kVolumeName = 16 };

/// Attaches UBI to the chip, makes the volume if there is none yet, and writes its name for
/// mount(2), such as "ubi0_0", to `volume`. An erased chip is full of 0xff. 0, or -1, told as an
/// event.
int flash_attach(const char* disk_path, char volume[kVolumeName]);

/// Detaches UBI: the next flash_attach() reads the chip anew. 0, or -1, told as an event.
int flash_detach(void);

/// Writes to the disk what was written to the chip, until UBI's own work in the background has come
/// to rest. 0, or -1 and errno.
int flash_write_out(const char* disk_path);
