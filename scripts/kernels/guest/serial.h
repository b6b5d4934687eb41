// What the guest tells the host, on the serial console. Every message is one line that begins with
// "@@guest ", so that kernel messages in between do no harm; a report is framed by two such lines
// and carries its length and checksum, so that a damaged one is never taken for a result.
#pragma once

/// One line "@@guest {"event":NAME, ...}"; `format` gives the members that follow, each with its
/// comma in front.
void serial_event(const char* name, const char* format, ...) __attribute__((format(printf, 2, 3)));

/// Like it, with {"event":"failed","what":...,"error":strerror(error)}.
void serial_failed(const char* what, int error);

/// `text` as a JSON string with its quotes, from malloc.
char* json_string(const char* text);

/// Prints a file between markers as report `kind` of run `run`. The kernel's own messages are kept
/// off the console meanwhile. 0, or -1 and errno where the file cannot be read.
int serial_report(int run, const char* kind, const char* path);
