// Attributes that say what a mutex guards; clang's -Wthread-safety checks them (scripts/lint.sh).
// With other compilers they expand to nothing.
#pragma once

#ifdef __clang__
#define PARTIALFS_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define PARTIALFS_THREAD_ATTRIBUTE(x)
#endif

// On a class: its objects are mutexes / its objects hold a mutex while they live.
#define CAPABILITY(name) PARTIALFS_THREAD_ATTRIBUTE(capability(name))
#define SCOPED_CAPABILITY PARTIALFS_THREAD_ATTRIBUTE(scoped_lockable)

// On a member: it may be read with the mutex held (or shared), and changed with it held
// exclusively.
#define GUARDED_BY(mutex) PARTIALFS_THREAD_ATTRIBUTE(guarded_by(mutex))

// On a mutex: its place in the lock order. clang checks the order only with -Wthread-safety-beta.
#define ACQUIRED_BEFORE(...) PARTIALFS_THREAD_ATTRIBUTE(acquired_before(__VA_ARGS__))
#define ACQUIRED_AFTER(...) PARTIALFS_THREAD_ATTRIBUTE(acquired_after(__VA_ARGS__))

// On a function: the caller holds the mutexes / holds them at least shared / must not hold them.
#define REQUIRES(...) PARTIALFS_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) PARTIALFS_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define EXCLUDES(...) PARTIALFS_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

// On a function: it takes, or releases, the mutexes.
#define ACQUIRE(...) PARTIALFS_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) PARTIALFS_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) PARTIALFS_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) PARTIALFS_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))

// On a function: it is not checked. Write beside it why not.
#define NO_THREAD_SAFETY_ANALYSIS PARTIALFS_THREAD_ATTRIBUTE(no_thread_safety_analysis)
