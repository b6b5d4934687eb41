// What a block device without buffer heads knows of one page of its page cache: Linux 6.6 and later
// built with CONFIG_BUFFER_HEAD=n (commit 925c86a19bac). The bug of 2006 again, without a journal.
//
// There are no buffer heads; a folio with more than one block gets an iomap_folio_state with a
// dirty bit for each block. write(2) sets the bits of its blocks. A store through a mapping marks
// only the folio (filemap_dirty_folio(), the .dirty_folio of block/fops.c), so writeback finds the
// bits clear, writes nothing of those blocks and calls the folio clean.
//
// PageState is that of buffer heads: `dirty` are the blocks that a writeback would write.
// Pure values and pure functions: no I/O, no clock, any thread.
#pragma once

#include "fusefs/model/page_state.hpp"
#include "fusefs/model/types.hpp"

namespace partialfs::model::block_device {

/// The page has been read into the cache, maybe by a page fault: it gets block bits, all set if it
/// is dirty. Follows ifs_alloc() (fs/iomap/buffered-io.c) as iomap_readpage_iter() calls it.
void read(PageState& page);

/// write(2) has changed the blocks `touched`. `whole`: it covers every byte of the page; then a
/// page without block bits gets none. Follows __iomap_write_begin() and iomap_set_range_dirty().
void write(PageState& page, BlockMask touched, bool whole, BlockSize block_size);

/// A store through a mapping sets PG_dirty. Without block bits that means all of the page.
void store(PageState& page, BlockSize block_size);

/// The page is written back: the blocks whose bits are set, or every block if it has no bits. It
/// has bits afterwards, all clear. `within_eof` is BlockSize::within() of the device's size.
/// Follows iomap_writepage_map().
WriteDecision writeback(PageState& page, BlockMask within_eof, BlockSize block_size);

} // namespace partialfs::model::block_device
