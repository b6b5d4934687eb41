#include "serial.h"

#include "files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <termios.h>
#include <unistd.h>

void serial_event(const char* name, const char* format, ...) {
    printf("@@guest {\"event\":\"%s\"", name);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    puts("}");
    fflush(stdout);
}

void serial_failed(const char* what, int error) {
    char* quoted = json_string(what);
    serial_event("failed", ",\"what\":%s,\"errno\":%d,\"error\":\"%s\"", quoted, error,
                 strerror(error));
    free(quoted);
}

char* json_string(const char* text) {
    char* quoted = malloc(strlen(text) * 6 + 3);
    if (quoted == NULL)
        return strdup("\"?\"");
    char* out = quoted;
    *out++ = '"';
    for (const unsigned char* c = (const unsigned char*)text; *c != '\0'; ++c) {
        if (*c == '"' || *c == '\\') {
            *out++ = '\\';
            *out++ = (char)*c;
        } else if (*c < 0x20 || *c >= 0x7f) {
            out += sprintf(out, "\\u%04x", *c);
        } else {
            *out++ = (char)*c;
        }
    }
    *out++ = '"';
    *out = '\0';
    return quoted;
}

/// The CRC-32 of zip and of python's zlib.crc32.
static uint32_t crc32_of(const char* bytes, size_t length) {
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < length; ++i) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
    }
    return ~crc;
}

int serial_report(int run, const char* kind, const char* path) {
    enum { kConsoleOff = 6, kConsoleOn = 7 };
    size_t length = 0;
    char* bytes = file_bytes(path, &length);
    if (bytes == NULL)
        return -1;
    klogctl(kConsoleOff, NULL, 0);
    printf("@@guest report-begin run=%d kind=%s bytes=%zu crc32=%08x\n", run, kind, length,
           (unsigned)crc32_of(bytes, length));
    fwrite(bytes, 1, length, stdout);
    printf("\n@@guest report-end run=%d kind=%s\n", run, kind);
    fflush(stdout);
    tcdrain(STDOUT_FILENO);
    klogctl(kConsoleOn, NULL, 0);
    free(bytes);
    return 0;
}
