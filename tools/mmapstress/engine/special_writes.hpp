// Writes that go past the page cache, or leave nothing in it: O_DIRECT, RWF_DONTCACHE.
#pragma once

#include "tools/mmapstress/engine/test_file.hpp"

#include <cstddef>
#include <span>

namespace mmapstress {

/// pwrite() of `bytes`, at any address, through the file's O_DIRECT descriptor. Any thread.
Outcome<> write_direct(TestFile& file, std::span<const std::byte> bytes, ByteOffset offset);
/// pwritev2() of `bytes` with RWF_DONTCACHE. EOPNOTSUPP where the kernel or the filesystem does not
/// know the flag. Any thread.
Outcome<> write_dontcache(const TestFile& file, std::span<const std::byte> bytes,
                          ByteOffset offset);

} // namespace mmapstress
