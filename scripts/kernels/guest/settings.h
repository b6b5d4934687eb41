// The guest's settings: words KEY=VALUE from the file /settings of the initramfs and from the
// kernel's command line, which wins.
#pragma once

/// Reads both. Words without '=' and words that are the kernel's own are kept and do no harm.
void settings_read(void);

/// Adds the words of a run's own file, which win, until settings_leave().
void settings_enter(const char* path);
void settings_leave(void);

/// The value of guest.KEY, or `otherwise` where it was not given. Lives as long as the program.
const char* setting(const char* key, const char* otherwise);

/// The same as a number; `otherwise` also where the value is none.
long setting_number(const char* key, long otherwise);

/// Puts each word whose key begins with MMAPSTRESS_ into this process' environment.
void settings_export(void);
