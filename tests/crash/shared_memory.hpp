// Memory that a test shares with its forked child processes.
#pragma once

#include <sys/mman.h>

#include <new>

namespace partialfs::test {

/// A new `Value`, never destroyed: a process may be killed while it uses it.
template <typename Value>
class SharedMemory {
  public:
    SharedMemory()
        : memory_(::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0)) {
        if (memory_ == MAP_FAILED) {
            throw std::bad_alloc{};
        }
        new (memory_) Value{};
    }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory() { ::munmap(memory_, sizeof(Value)); }
    Value& operator*() const { return *static_cast<Value*>(memory_); }
    Value* operator->() const { return static_cast<Value*>(memory_); }

  private:
    void* memory_;
};

} // namespace partialfs::test
