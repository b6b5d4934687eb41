#include "tools/mmapstress/system/aligned_buffer.hpp"

#include "tools/schedule/op.hpp"

#include <cstdlib>
#include <new>

namespace mmapstress {

AlignedBuffer::AlignedBuffer(std::size_t size)
    : size_(size), data_(static_cast<std::byte*>(std::aligned_alloc(
                       kPageSize, (size + kPageSize - 1) / kPageSize * kPageSize))) {
    if (!data_) {
        throw std::bad_alloc();
    }
}

void AlignedBuffer::Free::operator()(std::byte* data) const {
    std::free(data);
}

} // namespace mmapstress
