#include "settings.h"

#include "files.h"

#include <stdlib.h>
#include <string.h>

enum { kMaxWords = 512 };
static char* words[kMaxWords];
static int word_count;
static int count_outside; // of the words that are no run's

static void add_words(char* text) {
    if (text == NULL)
        return;
    for (char* word = strtok(text, " \t\r\n"); word != NULL; word = strtok(NULL, " \t\r\n"))
        if (word_count < kMaxWords)
            words[word_count++] = word;
}

void settings_read(void) {
    add_words(file_text("/settings"));
    add_words(file_text("/proc/cmdline"));
}

void settings_enter(const char* path) {
    count_outside = word_count;
    add_words(file_text(path));
}

void settings_leave(void) {
    word_count = count_outside;
}

const char* setting(const char* key, const char* otherwise) {
    const size_t length = strlen(key);
    for (int i = word_count - 1; i >= 0; --i) // the last word of a key is the one that counts
        if (strncmp(words[i], "guest.", 6) == 0 && strncmp(words[i] + 6, key, length) == 0 &&
            words[i][6 + length] == '=')
            return words[i] + 6 + length + 1;
    return otherwise;
}

long setting_number(const char* key, long otherwise) {
    const char* text = setting(key, NULL);
    if (text == NULL || *text == '\0')
        return otherwise;
    char* end = NULL;
    const long number = strtol(text, &end, 10);
    return *end == '\0' ? number : otherwise;
}

void settings_export(void) {
    for (int i = 0; i < word_count; ++i)
        if (strncmp(words[i], "MMAPSTRESS_", 11) == 0 && strchr(words[i], '=') != NULL)
            putenv(words[i]);
}
