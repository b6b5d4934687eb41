// What a power cut takes of one file's memory.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace partialfs::file {

/// Each is called with none of the file's locks held, of a file that is `dead`, once SOURCE has
/// what the cut leaves. What is lost goes to the ledger and to the trace; of a file without a name
/// nothing is.

/// Gives up all that is held back. `from_disk` are bytes that the cache of the disk has lost,
/// ascending. Whether the size is lost.
bool lose_memory(FileParts& file, std::string_view path,
                 std::span<const model::ByteRange> from_disk);
/// The kernel has given up pages that were dirty.
void lose_pages(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes);

} // namespace partialfs::file
