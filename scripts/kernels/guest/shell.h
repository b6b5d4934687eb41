// An interactive shell on the serial console.
#pragma once

/// Runs `path` as a session of its own with the serial line as its terminal, so that ^C and job
/// control work, until it ends.
void shell(const char* path);
