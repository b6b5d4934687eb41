// Makes sure that a commit writes.
#pragma once

/// reiserfs does not commit the first transaction after a mount at an fsync: makes two small
/// fsyncs, and then a third, which is the probe: a new file, fsynced, must raise the number of
/// sectors written to the disk. Prints an event "commit-probe" with the numbers. 0, or -1 where
/// nothing was written: the run could then show nothing.
int commit_warm_up(int run, const char* directory, const char* disk_path);
