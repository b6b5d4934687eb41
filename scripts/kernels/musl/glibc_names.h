// What g++'s own libstdc++ headers, configured for glibc, want from <features.h>, <ctype.h>,
// <locale.h> and <pthread.h> and musl does not give. musl-g++ includes it before everything.
// The other half, the functions, is in shim.c.
#pragma once

#include <features.h>

// libstdc++ asks which glibc this is: a new one, as the library itself was built for.
#define __GLIBC_PREREQ(major, minor) 1

// The bits of glibc's character table on a little-endian machine; shim.c builds the table.
#define _ISblank 0x0001
#define _IScntrl 0x0002
#define _ISpunct 0x0004
#define _ISalnum 0x0008
#define _ISupper 0x0100
#define _ISlower 0x0200
#define _ISalpha 0x0400
#define _ISdigit 0x0800
#define _ISxdigit 0x1000
#define _ISspace 0x2000
#define _ISprint 0x4000
#define _ISgraph 0x8000

#define __locale_t locale_t

// For <sys/single_threaded.h>, which libstdc++ finds among the host's headers.
#ifdef __cplusplus
#define __BEGIN_DECLS extern "C" {
#define __END_DECLS }
#else
#define __BEGIN_DECLS
#define __END_DECLS
#endif

#ifdef __cplusplus
#include <pthread.h>
#include <time.h>
extern "C" {
int pthread_cond_clockwait(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
int pthread_mutex_clocklock(pthread_mutex_t*, clockid_t, const struct timespec*);
int pthread_rwlock_clockrdlock(pthread_rwlock_t*, clockid_t, const struct timespec*);
int pthread_rwlock_clockwrlock(pthread_rwlock_t*, clockid_t, const struct timespec*);
}
#endif
