// What joins reiserfs' ordered list (fs/reiserfs, as in Linux 2.6.19 and still in 6.1): blocks that
// are allocated on disk, and blocks written in the page that the file ends in. In ext3 every block
// that a write(2) or ->writepage touches joins.
//
// Pure functions; any thread.
#pragma once

#include "fusefs/model/page_state.hpp"

namespace vmmodel {

/// Where in the file a write(2) goes.
struct WrittenPage {
    partialfs::model::PageIndex index;
    partialfs::model::ByteOffset size; ///< the file's, before the write
    partialfs::model::BlockSize block_size;
};

/// Of the blocks `touched` by a write(2), those that join; `state` and `uptodate` are the page's
/// before it. Follows reiserfs_get_block(), __block_write_begin() and reiserfs_commit_page().
partialfs::model::BlockMask joined_by_write(const partialfs::model::PageState& state,
                                            partialfs::model::BlockMask uptodate,
                                            partialfs::model::BlockMask touched,
                                            const WrittenPage& page);

/// Of the blocks `written` by ->writepage, those that join: the holes that it fills. Follows
/// map_block_for_writepage() and reiserfs_get_block(). `state` is the page's before it.
partialfs::model::BlockMask joined_by_writepage(const partialfs::model::PageState& state,
                                                partialfs::model::BlockMask written);

} // namespace vmmodel
