// The guest's machine: kernel filesystems, modules, the test disk, the VM's settings.
#pragma once

enum { kDiskPath = 64 };

/// Mounts proc, sys and dev (a devtmpfs, or nodes made by hand where the kernel has none) and
/// opens the console. Failures of sys and dev are not fatal: kernels without them are served too.
void machine_set_up(void);

/// Loads the modules named in /modules/order, one file name a line, in that order. 0, or -1 and
/// errno with the file's name in *failed.
int machine_load_modules(const char** failed);

/// Waits up to `seconds` for a disk (vda, hda or sda, or the one given) and writes its device
/// node's path. 0, or -1 with errno ENXIO.
int machine_find_disk(const char* wanted, long seconds, char path[kDiskPath]);

/// Sectors of 512 bytes written to the disk so far, by /proc/diskstats; -1 if it does not tell.
long long machine_sectors_written(const char* disk_path);

/// Background writeback off: the flusher's timer, its age limit and its dirty limits out of reach.
/// 0, or -1 and errno with the sysctl's path in *failed.
int machine_stop_background_writeback(const char** failed);

/// The counters of the module whose probe watches page_mkclean, as JSON members with a comma in
/// front, from malloc; "" where no such module is loaded.
char* machine_probe_counters(void);

/// What the kernel says in /proc/sys/kernel/tainted; 0 if it does not say.
long machine_tainted(void);

/// Has the kernel print where its blocked tasks are, and ends the machine as it is, without a sync, which could hang
/// as well.
void machine_end_hung(void);

/// Ends the machine; does not return. QEMU's -no-reboot makes an exit of it (a power-off would
/// halt for ever on a kernel without ACPI).
void machine_reboot(void);
