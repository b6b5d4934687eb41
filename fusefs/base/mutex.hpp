// The standard library's mutexes, locks and condition variables with annotations for clang's thread
// safety analysis, which libstdc++'s own lack.
//
//     base::Mutex mutex_;                    ///< its place in the lock order
//     int balance_ GUARDED_BY(mutex_) = 0;
//     void pay_locked() REQUIRES(mutex_);
//
//     const base::Lock lock(mutex_);         // as std::scoped_lock
//     while (balance_ == 0) {                // a loop: the analysis does not look into a
//         paid_.wait(lock);                  // predicate's lambda
//     }
//
// Each is as thread-safe as the class it wraps.
#pragma once

#include "fusefs/base/thread_annotations.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

namespace partialfs::base {

/// std::mutex.
class CAPABILITY("mutex") Mutex {
  public:
    void lock() ACQUIRE() { mutex_.lock(); }
    void unlock() RELEASE() { mutex_.unlock(); }

  private:
    friend class Lock;
    std::mutex mutex_;
};

/// std::unique_lock: holds the mutex while it lives, except between unlock() and lock().
class SCOPED_CAPABILITY Lock {
  public:
    explicit Lock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.mutex_) {}
    ~Lock() RELEASE() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    void unlock() RELEASE() { lock_.unlock(); }
    void lock() ACQUIRE() { lock_.lock(); }

  private:
    friend class CondVar;
    mutable std::unique_lock<std::mutex> lock_;
};

/// std::condition_variable. A wait may end spuriously, so it stands in a loop that checks the
/// condition. The mutex is released during the wait: what it guards may have changed afterwards.
class CondVar {
  public:
    void notify_one() noexcept { condition_.notify_one(); }
    void notify_all() noexcept { condition_.notify_all(); }

    void wait(const Lock& lock) { condition_.wait(lock.lock_); }
    /// std::cv_status::timeout: the time has passed, notified or not.
    template <class Rep, class Period>
    std::cv_status wait_for(const Lock& lock, const std::chrono::duration<Rep, Period>& time) {
        return condition_.wait_for(lock.lock_, time);
    }
    template <class Clock, class Duration>
    std::cv_status wait_until(const Lock& lock,
                              const std::chrono::time_point<Clock, Duration>& deadline) {
        return condition_.wait_until(lock.lock_, deadline);
    }

  private:
    std::condition_variable condition_;
};

/// std::shared_mutex: one writer, or any number of readers.
class CAPABILITY("mutex") SharedMutex {
  public:
    void lock() ACQUIRE() { mutex_.lock(); }
    void unlock() RELEASE() { mutex_.unlock(); }
    void lock_shared() ACQUIRE_SHARED() { mutex_.lock_shared(); }
    void unlock_shared() RELEASE_SHARED() { mutex_.unlock_shared(); }

  private:
    std::shared_mutex mutex_;
};

/// Holds a SharedMutex for writing while it lives. lock() and unlock(): see ReadLock.
class SCOPED_CAPABILITY WriteLock {
  public:
    explicit WriteLock(SharedMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~WriteLock() RELEASE() { mutex_.unlock(); }
    WriteLock(const WriteLock&) = delete;
    WriteLock& operator=(const WriteLock&) = delete;

    void lock() ACQUIRE() { mutex_.lock(); }
    void unlock() RELEASE() { mutex_.unlock(); }

  private:
    SharedMutex& mutex_;
};

/// Holds a SharedMutex for reading while it lives. lock() and unlock() are for
/// std::condition_variable_any, which unlocks the mutex and locks it again.
class SCOPED_CAPABILITY ReadLock {
  public:
    explicit ReadLock(SharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_(mutex) {
        mutex_.lock_shared();
    }
    ~ReadLock() RELEASE() { mutex_.unlock_shared(); }
    ReadLock(const ReadLock&) = delete;
    ReadLock& operator=(const ReadLock&) = delete;

    void lock() ACQUIRE_SHARED() { mutex_.lock_shared(); }
    void unlock() RELEASE() { mutex_.unlock_shared(); }

  private:
    SharedMutex& mutex_;
};

} // namespace partialfs::base
