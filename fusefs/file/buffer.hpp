// Memory that holds bytes of write(2) until a flush: its owners and its limit.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/model/types.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::file {

/// Whether a write may exceed the memory limit. Only one whose bytes are on disk already may: the
/// next flush frees its memory.
enum class Charge : std::uint8_t { within_limit, beyond_limit };

/// How much memory the buffered data of the mount takes, and the most it may take.
/// Thread-safe, without a lock.
class BufferBudget {
  public:
    explicit BufferBudget(std::uint64_t limit) : limit_(limit) {}

    /// Takes `bytes` out of the budget. False, and nothing taken, if that would exceed the limit
    /// and `charge` is within_limit.
    [[nodiscard]] bool reserve(std::uint64_t bytes, Charge charge = Charge::within_limit) {
        std::uint64_t used = used_.load(std::memory_order_relaxed);
        do {
            if (charge == Charge::within_limit && used + bytes > limit_) {
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

/// Keeps a few blocks of memory from malloc(3), all of the same size, for reuse: new memory costs a
/// page fault for each of its pages. Thread-safe; its mutex is a leaf.
class MemoryPool {
  public:
    explicit MemoryPool(std::size_t keep) : keep_(keep) { free_.reserve(keep); }
    MemoryPool(const MemoryPool&) = delete;
    MemoryPool& operator=(const MemoryPool&) = delete;
    ~MemoryPool();

    /// A block that was given back, or null: the caller then calls malloc().
    [[nodiscard]] void* take();
    /// Takes over a block, to reuse or free it.
    void give_back(void* block);

  private:
    std::size_t keep_;
    base::Mutex mutex_; ///< a leaf
    std::vector<void*> free_ GUARDED_BY(mutex_);
};

/// Memory on its way from one owner to another.
struct GiveBack {
    MemoryPool* pool;
    void operator()(void* memory) const { pool->give_back(memory); }
};
using PoolMemory = std::unique_ptr<void, GiveBack>;

/// A block of memory, charged to a budget for as long as it lives. Extents share it.
class Buffer {
  public:
    /// Memory of its own of `capacity` bytes.
    Buffer(std::size_t capacity, BufferBudget& budget)
        : memory_(static_cast<std::byte*>(std::malloc(capacity))), capacity_(capacity),
          budget_(budget) {
        if (memory_ == nullptr) {
            throw std::bad_alloc{};
        }
    }
    /// Takes over `memory`, which the destructor gives back to its pool.
    Buffer(PoolMemory&& memory, std::size_t capacity, BufferBudget& budget)
        : pool_(memory.get_deleter().pool), memory_(static_cast<std::byte*>(memory.release())),
          capacity_(capacity), budget_(budget) {}
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() {
        if (pool_ != nullptr) {
            if (memory_ != nullptr) {
                pool_->give_back(memory_);
            }
        } else {
            std::free(memory_);
        }
        budget_.release(charge_);
    }

    /// Takes `bytes` out of the budget until the buffer is destroyed. False if the budget does not
    /// allow it.
    [[nodiscard]] bool charge(std::uint64_t bytes, Charge how = Charge::within_limit) {
        if (!budget_.reserve(bytes, how)) {
            return false;
        }
        charge_ += bytes;
        return true;
    }
    /// Gives the memory away. Only for a buffer made from a pool's memory.
    [[nodiscard]] PoolMemory release() {
        return PoolMemory(std::exchange(memory_, nullptr), GiveBack{pool_});
    }
    [[nodiscard]] std::byte* data() const { return memory_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

  private:
    MemoryPool* pool_ = nullptr;
    std::byte* memory_;
    std::size_t capacity_;
    BufferBudget& budget_;
    std::uint64_t charge_ = 0;
};

} // namespace partialfs::file
