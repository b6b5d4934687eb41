// Small files, and trees of them.
#pragma once

#include <stddef.h>

/// The whole file, with a zero byte behind it, from malloc; NULL (and errno) if it cannot be read.
/// Works for /proc, whose files have no size. `length`, unless NULL, gets the number of bytes.
char* file_bytes(const char* path, size_t* length);
char* file_text(const char* path);

/// Writes `text` into a file that exists, such as a sysctl. 0, or -1 and errno.
int file_put(const char* path, const char* text);

/// A file's lines, each from malloc, with a NULL behind the last; NULL if it cannot be read.
char** file_lines(const char* path);

/// Removes a directory and all that is in it. 0, or -1 and errno of the first failure.
int remove_tree(const char* path);
