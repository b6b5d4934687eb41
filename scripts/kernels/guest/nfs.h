// The kernel's own NFS server in the guest, and a mount of what it serves: /mnt at /under, NFS 4.2
// through the loopback device. Nothing of user space takes part: the server's tables, which a
// mountd fills in elsewhere, are filled in beforehand.
#pragma once

/// Starts the server and mounts. 0, or -1, told as an event.
int nfs_start(void);

/// Stops the server, after the unmount, and has it let go of /mnt, which takes a moment. Failures
/// are told as events.
void nfs_stop(void);
