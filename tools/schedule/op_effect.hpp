// What an operation does to its file: its size, and which bytes it changes.
//
// Pure functions; any thread.
#pragma once

#include "tools/schedule/op.hpp"

namespace mmapstress {

/// The file's size after `op`, if it was `size` before; `size` for an operation without a file.
ByteCount size_after(const Op& op, ByteCount size);

/// The bytes of the file that `op` writes, zeroes, adds or removes, if the file's size was `size`
/// before it; empty if there are none. If the file becomes longer, all new bytes are among them,
/// with the gap before the operation's own. Bytes that a store puts past the end of the file are
/// not part of the file.
ByteRange changed_bytes(const Op& op, ByteCount size);

/// Whether an operation replaces bytes by zeros, or removes them from the end of the file, without
/// moving any: truncate, punch, zero-range.
bool takes_bytes_away(const Op& op);

/// Whether `op` moves or copies bytes from elsewhere: collapse, insert, copy, clone, clone-file.
bool moves_bytes(const Op& op);

/// A range of bytes and its new place.
struct Move {
    FileIndex source;
    ByteRange bytes; ///< their place in `source`, before
    ByteOffset to;   ///< their place in the operation's file, afterwards
};
/// The bytes that `op` moves, if its file's size was `size` before it. moves_bytes(op) must be
/// true.
Move move_of(const Op& op, ByteCount size);

/// The bytes that no other worker's operation may need while `op` is carried out: those that it
/// changes and, if it changes or sets the file's size, all that follow them; for a load, the bytes
/// that must be within the file. O_DIRECT bypasses the page cache, which keeps, drops and writes
/// back whole folios: the bytes of a direct-write are rounded out to `folio`, a power of 2 that is
/// the filesystem's largest folio.
ByteRange changed_together(const Op& op, ByteCount size, ByteCount folio);

/// The bytes of its `source` that no other worker may change while `op` is carried out.
ByteRange needed_of_source(const Op& op);

} // namespace mmapstress
