// The functions of glibc 2.36 that Debian 12's libstdc++.a and libgcc_eh.a call and musl 1.2.3
// does not have. Linked by musl-g++ into every program it makes, all of them static.
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/// glibc's hint that no thread was ever started. Always "there are threads": the counters of
/// shared pointers stay atomic.
char __libc_single_threaded = 0;

/// As in glibc's <dlfcn.h> for x86-64, where no eh_dbase and no eh_count stand in it.
struct dl_find_object {
    unsigned long long flags;
    void* map_start;
    void* map_end;
    void* link_map;
    void* eh_frame;
    unsigned long long reserved[7];
};

static int find_program(struct dl_phdr_info* info, size_t size, void* data) {
    (void)size;
    struct dl_find_object* found = data;
    uintptr_t start = UINTPTR_MAX;
    uintptr_t end = 0;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)* header = &info->dlpi_phdr[i];
        const uintptr_t address = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) {
            found->eh_frame = (void*)address;
        } else if (header->p_type == PT_LOAD) {
            start = address < start ? address : start;
            end = address + header->p_memsz > end ? address + header->p_memsz : end;
        }
    }
    found->map_start = (void*)start;
    found->map_end = (void*)end;
    return 1; // a static program is the only object there is
}

/// Where the unwind tables for the code at pc are. 0, or -1 if pc is in no known object.
int _dl_find_object(void* pc, struct dl_find_object* result) {
    *result = (struct dl_find_object){0};
    dl_iterate_phdr(find_program, result);
    return result->eh_frame != NULL && pc >= result->map_start && pc < result->map_end ? 0 : -1;
}

/// std::random_device's source. Read from /dev/urandom, which every Linux has.
uint32_t arc4random(void) {
    uint32_t value;
    const int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &value, sizeof value) != (ssize_t)sizeof value)
        abort();
    close(fd);
    return value;
}

/// The moment of CLOCK_REALTIME that is as far from now as `moment` is on `clock`.
static struct timespec on_realtime(clockid_t clock, const struct timespec* moment) {
    if (clock == CLOCK_REALTIME)
        return *moment;
    struct timespec now;
    struct timespec real;
    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &real);
    real.tv_sec += moment->tv_sec - now.tv_sec;
    real.tv_nsec += moment->tv_nsec - now.tv_nsec;
    if (real.tv_nsec < 0) {
        real.tv_nsec += 1000000000;
        --real.tv_sec;
    } else if (real.tv_nsec >= 1000000000) {
        real.tv_nsec -= 1000000000;
        ++real.tv_sec;
    }
    return real;
}

// The waits of POSIX 2024 against a clock of the caller's choice: 0 or an error number, as theirs.
int pthread_cond_clockwait(pthread_cond_t* cond, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* until) {
    const struct timespec real = on_realtime(clock, until);
    return pthread_cond_timedwait(cond, mutex, &real);
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
    const struct timespec real = on_realtime(clock, until);
    return pthread_mutex_timedlock(mutex, &real);
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock,
                               const struct timespec* until) {
    const struct timespec real = on_realtime(clock, until);
    return pthread_rwlock_timedrdlock(lock, &real);
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock,
                               const struct timespec* until) {
    const struct timespec real = on_realtime(clock, until);
    return pthread_rwlock_timedwrlock(lock, &real);
}

// Destructors of thread_local objects, newest first; run when their thread ends, and the main
// thread's when the program exits.
struct thread_exit {
    void (*destroy)(void*);
    void* object;
    struct thread_exit* next;
};
static _Thread_local struct thread_exit* thread_exits;
static pthread_key_t thread_exit_key;

static void run_thread_exits(void* unused) {
    (void)unused;
    while (thread_exits != NULL) {
        struct thread_exit* entry = thread_exits;
        thread_exits = entry->next;
        entry->destroy(entry->object);
        free(entry);
    }
}

static void run_main_thread_exits(void) {
    run_thread_exits(NULL);
}

static void set_up_thread_exits(void) {
    if (pthread_key_create(&thread_exit_key, run_thread_exits) != 0 ||
        atexit(run_main_thread_exits) != 0)
        abort();
}

/// Has `destroy(object)` called when the calling thread ends. 0, or -1 without memory.
int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* dso_handle) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)dso_handle; // nothing is ever unloaded from a static program
    pthread_once(&once, set_up_thread_exits);
    struct thread_exit* entry = malloc(sizeof *entry);
    if (entry == NULL)
        return -1;
    *entry = (struct thread_exit){destroy, object, thread_exits};
    thread_exits = entry;
    pthread_setspecific(thread_exit_key, entry); // anything but null, so that the key's end runs
    return 0;
}

// libstdc++ asks __newlocale for the C locale and reads character tables straight out of the object
// that it gets, where glibc keeps them (std::ctype; without them formatted input crashes). This
// object has them there; its first words are null, which is the C locale to musl's own functions.
enum { kTableStart = 128, kTableSize = 384 }; // indexed from -128 to 255
static unsigned short character_types[kTableSize];
static int to_lower[kTableSize];
static int to_upper[kTableSize];
static struct {
    void* categories[13];
    const unsigned short* ctype;
    const int* lower;
    const int* upper;
    const char* names[13];
} c_locale;

static int between(int c, int first, int last) {
    return c >= first && c <= last;
}

static unsigned short type_of(int c) {
    const int upper = between(c, 'A', 'Z');
    const int lower = between(c, 'a', 'z');
    const int digit = between(c, '0', '9');
    const int alnum = upper || lower || digit;
    const int graph = between(c, '!', '~');
    int type = 0;
    type |= c == ' ' || c == '\t' ? 0x0001 : 0;
    type |= between(c, 0, 31) || c == 127 ? 0x0002 : 0;
    type |= graph && !alnum ? 0x0004 : 0;
    type |= alnum ? 0x0008 : 0;
    type |= upper ? 0x0100 : 0;
    type |= lower ? 0x0200 : 0;
    type |= upper || lower ? 0x0400 : 0;
    type |= digit ? 0x0800 : 0;
    type |= digit || between(c, 'a', 'f') || between(c, 'A', 'F') ? 0x1000 : 0;
    type |= c == ' ' || between(c, '\t', '\r') ? 0x2000 : 0;
    type |= graph || c == ' ' ? 0x4000 : 0;
    type |= graph ? 0x8000 : 0;
    return (unsigned short)type;
}

static void fill_c_locale(void) {
    for (int c = -kTableStart; c < kTableSize - kTableStart; ++c) {
        character_types[kTableStart + c] = type_of(c);
        to_lower[kTableStart + c] = between(c, 'A', 'Z') ? c - 'A' + 'a' : c;
        to_upper[kTableStart + c] = between(c, 'a', 'z') ? c - 'a' + 'A' : c;
    }
    c_locale.ctype = character_types + kTableStart;
    c_locale.lower = to_lower + kTableStart;
    c_locale.upper = to_upper + kTableStart;
}

/// Every locale is the C locale here, one object that is never freed.
locale_t __newlocale(int mask, const char* name, locale_t base) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)mask;
    (void)name;
    (void)base;
    pthread_once(&once, fill_c_locale);
    return (locale_t)&c_locale;
}

locale_t __duplocale(locale_t locale) {
    return locale;
}

void __freelocale(locale_t locale) {
    (void)locale;
}
