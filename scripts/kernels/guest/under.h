// A partialfs inside the guest, mounted over the test disk: /mnt is its source, /under its mount.
#pragma once

/// Whether this guest was given a partialfs: the file /partialfs/argv.
int under_wanted(void);

/// Starts it and waits until it is mounted. 0 (also where none is wanted), or -1, told as an event.
int under_start(void);

/// Prints its status and its ledger as reports of run `run`.
void under_report(int run);

/// Unmounts it and waits until its process has ended. Failures are told as events.
void under_stop(void);
