// What is mounted over the test disk, if anything: /mnt is the disk, /under what the runs see. An
// overlay, NFS or 9p (the setting "over" is "overlay", "nfs" or "9p"), or a program of FUSE's, such
// as a partialfs. The setting "daemon" is a directory with the argv of FUSE's program, or of 9p's
// server.
#pragma once

/// Whether the run that is under way was given such a thing.
int under_wanted(void);

/// Mounts it; a program is started and waited for. What a program says is a report of run `run` if
/// it fails. 0 (also where none is wanted), or -1, told as an event.
int under_start(int run);

/// Prints a partialfs' status and its ledger as reports of run `run`.
void under_report(int run);

/// Unmounts it and waits until its program has ended. Failures are told as events.
void under_stop(int run);
