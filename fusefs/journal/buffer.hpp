// Memory that holds bytes of write(2) until a flush: who owns it, and how much there is of it.
#pragma once

#include "fusefs/model/types.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace partialfs::journal {

/// How much memory the buffered data of the mount takes, and the most it may take.
/// Thread-safe, without a lock.
class BufferBudget {
  public:
    explicit BufferBudget(std::uint64_t limit) : limit_(limit) {}

    /// Takes `bytes` out of the budget, unless that would exceed the limit.
    [[nodiscard]] bool reserve(std::uint64_t bytes) {
        std::uint64_t used = used_.load(std::memory_order_relaxed);
        do {
            if (used + bytes > limit_) {
                return false;
            }
        } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
        return true;
    }
    void release(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t limit() const { return limit_; }

  private:
    std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};
};

/// Keeps a few blocks of malloc(3)ed memory, all of the same size, to be used again: fresh memory
/// costs a page fault for every page of it. Thread-safe; its mutex is a leaf.
class MemoryPool {
  public:
    explicit MemoryPool(std::size_t keep) : keep_(keep) { free_.reserve(keep); }
    MemoryPool(const MemoryPool&) = delete;
    MemoryPool& operator=(const MemoryPool&) = delete;
    ~MemoryPool();

    /// A block given back before, or null: the caller then makes one with malloc().
    [[nodiscard]] void* take();
    /// Takes a block over, for reuse or free().
    void give_back(void* block);

  private:
    std::size_t keep_;
    std::mutex mutex_; ///< guards free_
    std::vector<void*> free_;
};

/// A block of memory charged to a budget. What extents share.
class Buffer {
  public:
    /// Memory of its own of `capacity` bytes. `charge` has been reserved and is released at the
    /// end.
    Buffer(std::size_t capacity, BufferBudget& budget, std::uint64_t charge)
        : memory_(static_cast<std::byte*>(std::malloc(capacity))), capacity_(capacity),
          budget_(budget), charge_(charge) {
        if (memory_ == nullptr) {
            throw std::bad_alloc{};
        }
    }
    /// Takes over `memory`, which goes back to `pool` at the end.
    Buffer(void* memory, std::size_t capacity, MemoryPool& pool, BufferBudget& budget,
           std::uint64_t charge)
        : memory_(static_cast<std::byte*>(memory)), capacity_(capacity), pool_(&pool),
          budget_(budget), charge_(charge) {}
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() {
        if (pool_ != nullptr) {
            pool_->give_back(memory_);
        } else {
            std::free(memory_);
        }
        budget_.release(charge_);
    }

    [[nodiscard]] std::byte* data() const { return memory_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

  private:
    std::byte* memory_;
    std::size_t capacity_;
    MemoryPool* pool_ = nullptr;
    BufferBudget& budget_;
    std::uint64_t charge_;
};

} // namespace partialfs::journal
