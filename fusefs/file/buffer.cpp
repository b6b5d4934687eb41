#include "fusefs/file/buffer.hpp"

namespace partialfs::file {

MemoryPool::~MemoryPool() {
    for (void* block : free_) {
        std::free(block);
    }
}

void* MemoryPool::take() {
    const base::Lock lock(mutex_);
    if (free_.empty()) {
        return nullptr;
    }
    void* block = free_.back();
    free_.pop_back();
    return block;
}

void MemoryPool::give_back(void* block) {
    {
        const base::Lock lock(mutex_);
        if (free_.size() < keep_) {
            free_.push_back(block);
            return;
        }
    }
    std::free(block);
}

} // namespace partialfs::file
