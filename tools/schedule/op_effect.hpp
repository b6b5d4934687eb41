// What an operation does to its file: its size, and which bytes it changes.
//
// Pure functions; any thread.
#pragma once

#include "tools/schedule/op.hpp"

namespace mmapstress {

/// The file's size after `op`, if it was `size` before. The same for operations of no file.
ByteCount size_after(const Op& op, ByteCount size);

/// The bytes of the file that `op` writes, zeroes, adds or takes away, if the file's size was
/// `size` before it; empty if there are none. Of a file that becomes shorter, the bytes that go;
/// of one that becomes longer, the new ones too, those before the operation's own included. What a
/// store puts past the end of the file is not part of the file.
ByteRange changed_bytes(const Op& op, ByteCount size);

/// Whether an operation puts zeros in the place of bytes, or takes them off the end of the file,
/// without moving any: truncate, punch, zero-range.
bool takes_bytes_away(const Op& op);

/// Whether bytes that stood elsewhere come to stand where `op` says: collapse, insert, copy, clone,
/// clone-file.
bool moves_bytes(const Op& op);

/// Bytes that come to stand elsewhere.
struct Move {
    FileIndex source;
    ByteRange bytes; ///< where they stood
    ByteOffset to;   ///< where they stand in the operation's file
};
/// What `op`, which moves bytes, moves, if its file's size was `size` before it.
Move move_of(const Op& op, ByteCount size);

/// The bytes that no other worker's operation may need while `op` is carried out: those that it
/// changes and, if it changes or sets the file's size, all that follow them; of a load, those that
/// must be there. O_DIRECT passes the page cache by, which keeps, drops and writes back a whole
/// folio: of a direct-write they are rounded out to `folio`, a power of 2, as large as the
/// filesystem's largest.
ByteRange changed_together(const Op& op, ByteCount size, ByteCount folio);

/// The bytes of its `source` that nobody may change while `op` is carried out.
ByteRange needed_of_source(const Op& op);

} // namespace mmapstress
