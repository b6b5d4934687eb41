// How a page of the page cache remembers which of its blocks must be written, on each filesystem:
// by buffer heads, or on a block device by block bits. Both rules are partialfs::model's.
//
// Pure functions; any thread.
#pragma once

#include "fusefs/model/page_state.hpp"
#include "tools/vmmodel/era.hpp"

namespace vmmodel::page_rule {

/// The page has been read into the page cache, by read(2) or by a fault.
void read(const FilesystemRules& filesystem, partialfs::model::PageState& page);

/// write(2) has changed the blocks `touched`; `whole`: every byte of the page. Returns whether a
/// block was allocated.
bool write(const FilesystemRules& filesystem, partialfs::model::PageState& page,
           partialfs::model::BlockMask touched, bool whole, partialfs::model::BlockSize block_size);

/// The VM reports that the page is dirty, for a store through a mapping: set_page_dirty().
void set_dirty(const FilesystemRules& filesystem, partialfs::model::PageState& page,
               partialfs::model::BlockSize block_size);

/// The page is written back; clear_page_dirty_for_io() comes first. PG_dirty stays as it is.
partialfs::model::WriteDecision write_back(const FilesystemRules& filesystem,
                                           partialfs::model::PageState& page,
                                           partialfs::model::BlockMask within_eof,
                                           partialfs::model::BlockSize block_size);

/// clear_page_dirty_for_io() of the era: clears PG_dirty. If the era reports dirty PTEs to the
/// filesystem (EraRules::tells_filesystem), set_dirty() comes first.
void clear_dirty_for_io(const EraRules& era, const FilesystemRules& filesystem,
                        partialfs::model::PageState& page, bool pte_was_dirty,
                        partialfs::model::BlockSize block_size);

} // namespace vmmodel::page_rule
