// What a power cut takes from the memory of one file.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace partialfs::file {

/// Each is called with none of the file's locks held, for a file that is `dead`, when SOURCE has
/// what the cut leaves. Losses are entered in the ledger and the trace, except those of a file
/// without a name.

/// Gives up everything that is held back. `from_disk` are bytes that the cache of the disk has
/// lost, ascending. Returns whether a change of the size is lost.
bool lose_memory(FileParts& file, std::string_view path,
                 std::span<const model::ByteRange> from_disk);
/// The kernel has dropped pages that were dirty, with these bytes.
void lose_pages(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes);

} // namespace partialfs::file
