#include "tools/vmmodel/predict/reiserfs_list.hpp"

namespace vmmodel {

namespace model = partialfs::model;
using model::BlockMask;

BlockMask joined_by_write(const model::PageState& state, BlockMask uptodate, BlockMask touched,
                          const WrittenPage& page) {
    const BlockMask holes = touched - state.allocated;
    // reiserfs_get_block fills a hole before the end of the file: dirty buffers join at once. One
    // past the end is appended, whatever its buffer says.
    const BlockMask filled = holes & state.dirty & page.block_size.within(page.index, page.size);
    // In a page that is up to date, __block_write_begin clears BH_New of a new block and makes it
    // dirty; in any other page, reiserfs_commit_page finds BH_New set.
    const BlockMask fresh = uptodate == page.block_size.all() ? BlockMask{} : holes - state.dirty;
    const bool last_page = page.index >= page_of(page.size);
    const BlockMask at_the_end = last_page ? touched - holes - state.dirty : BlockMask{};
    return filled | fresh | at_the_end;
}

BlockMask joined_by_writepage(const model::PageState& state, BlockMask written) {
    return written - state.allocated;
}

} // namespace vmmodel
