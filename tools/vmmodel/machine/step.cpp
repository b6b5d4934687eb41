#include "tools/vmmodel/machine/step.hpp"

namespace vmmodel {

namespace {

constexpr std::array<StepText, kSteps> kTexts{{
    {Step::store, "store instruction", "the processor"},
    {Step::do_no_page, "do_no_page", "mm/memory.c"},
    {Step::do_wp_page, "do_wp_page", "mm/memory.c"},
    {Step::wait_on_page_locked, "wait_on_page_locked", "mm/memory.c, 79352894b285"},
    {Step::dirty_buffers, "__set_page_dirty_buffers", "fs/buffer.c"},
    {Step::dirty_flag, "TestSetPageDirty", "fs/buffer.c"},
    {Step::write_copy, "write(2): copy", "mm/filemap.c"},
    {Step::write_commit, "write(2): ->commit_write", "fs/ext3/inode.c"},
    {Step::zap_pte, "zap_pte_range", "mm/memory.c"},
    {Step::truncate, "truncate_inode_page", "mm/truncate.c, fs/ext3/inode.c"},
    {Step::fsync, "fsync(2): filemap_fdatawrite", "fs/sync.c"},
    {Step::msync, "msync(2)", "mm/msync.c"},
    {Step::msync_pte, "msync_pte_range", "mm/msync.c"},
    {Step::sync_skip, "page not tagged dirty", "mm/page-writeback.c"},
    {Step::sync_return, "filemap_fdatawait; success", "mm/filemap.c"},
    {Step::lock_page, "lock_page, clear_page_dirty_for_io", "mm/page-writeback.c"},
    {Step::test_clear_page_dirty, "TestClearPageDirty", "mm/page-writeback.c"},
    {Step::page_mkclean_one, "page_mkclean_one", "mm/rmap.c"},
    {Step::page_check_address, "page_check_address: not present", "mm/rmap.c"},
    {Step::writepage, "->writepage", "fs/buffer.c"},
    {Step::commit_start, "journal_commit_transaction", "fs/jbd/commit.c"},
    {Step::submit_data_buffer, "journal_submit_data_buffers", "fs/jbd/commit.c"},
    {Step::end_io, "I/O done", "fs/buffer.c"},
    {Step::try_to_unmap, "try_to_unmap_one", "mm/rmap.c"},
    {Step::evict, "try_to_free_buffers, page freed", "mm/vmscan.c"},
    {Step::strip, "pagevec_strip: try_to_free_buffers", "mm/swap.c, fs/buffer.c"},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kSteps; ++i) {
        if (static_cast<std::size_t>(kTexts[i].step) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(), "the table must follow the enumeration");

} // namespace

const StepText& text_of(Step step) {
    return kTexts[static_cast<std::size_t>(step)];
}

} // namespace vmmodel
