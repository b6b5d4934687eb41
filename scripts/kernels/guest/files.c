#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char* file_bytes(const char* path, size_t* length) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char* bytes = NULL;
    size_t used = 0;
    size_t room = 0;
    ssize_t got = 0;
    do {
        used += (size_t)got;
        if (used + 1 >= room) {
            room = room == 0 ? 4096 : room * 2;
            char* larger = realloc(bytes, room);
            if (larger == NULL) {
                got = -1;
                break;
            }
            bytes = larger;
        }
        got = read(fd, bytes + used, room - used - 1);
    } while (got > 0);
    const int error = errno;
    close(fd);
    if (got < 0) {
        free(bytes);
        errno = error;
        return NULL;
    }
    bytes[used] = '\0';
    if (length != NULL)
        *length = used;
    return bytes;
}

char* file_text(const char* path) {
    return file_bytes(path, NULL);
}

int file_put(const char* path, const char* text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const ssize_t put = write(fd, text, strlen(text));
    const int error = errno;
    close(fd);
    errno = error;
    return put == (ssize_t)strlen(text) ? 0 : -1;
}

char** file_lines(const char* path) {
    char* text = file_text(path);
    if (text == NULL)
        return NULL;
    size_t count = 1;
    for (const char* c = text; *c != '\0'; ++c)
        count += *c == '\n';
    char** lines = calloc(count + 1, sizeof *lines);
    if (lines == NULL) {
        free(text);
        return NULL;
    }
    size_t used = 0;
    for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        lines[used++] = strdup(line);
    free(text);
    return lines;
}

static int remove_entry(const char* path, const struct stat* status, int kind, struct FTW* walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

int remove_tree(const char* path) {
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
