// Reading and writing files: whole small ones, and pieces of large ones without short counts.
//
// Any thread.
#pragma once

#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mmapstress {

/// Writes `text` to a temporary file beside `path`, syncs it and renames it to `path`. A symbolic
/// link is followed; a device or a pipe is written to directly. The error names the path and the
/// reason.
std::expected<void, std::string> write_file_atomically(const std::string& path,
                                                       std::string_view text);

/// Whether there is something at `path` that is neither a file nor a directory: a device, a pipe.
bool is_special_file(const std::string& path);

/// Why no file can be written at `path`, or nothing if one can: for a check before the work begins.
/// A file that is there does not change. An empty path is no error: nothing will be written.
std::optional<std::string> unwritable(const std::string& path);

/// All of a file's text. The error names the path and the reason.
std::expected<std::string, std::string> read_file(const std::string& path);

/// pwrite() of all of `bytes`, continued after short writes.
Outcome<> write_bytes(int fd, std::span<const std::byte> bytes, ByteOffset offset,
                      const std::string& path);
/// pread() until `out` is full or the file ends; the number of bytes read.
Outcome<std::size_t> read_bytes(int fd, std::span<std::byte> out, ByteOffset offset,
                                const std::string& path);

} // namespace mmapstress
