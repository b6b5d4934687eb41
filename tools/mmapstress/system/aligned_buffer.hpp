// Memory that O_DIRECT accepts.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace mmapstress {

/// Page-aligned. Throws std::bad_alloc if there is no memory.
class AlignedBuffer {
  public:
    explicit AlignedBuffer(std::size_t size);
    [[nodiscard]] std::span<std::byte> bytes() const { return {data_.get(), size_}; }

  private:
    struct Free {
        void operator()(std::byte* data) const;
    };
    std::size_t size_;
    std::unique_ptr<std::byte, Free> data_;
};

} // namespace mmapstress
