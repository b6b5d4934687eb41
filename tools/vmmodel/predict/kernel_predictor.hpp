// The kernel of an era with one of its filesystems, to the byte: what a schedule leaves on
// disk if nothing else runs at the same time (one CPU, no background writeback, no commit timer).
//
// The rule is that of v2.6.19's mm/page-writeback.c, mm/memory.c, mm/rmap.c, fs/buffer.c,
// fs/ext3/inode.c and fs/jbd/commit.c; every decision about blocks is made by partialfs::model.
// reiserfs has its own rule for what joins the ordered list (reiserfs_list.hpp). A block device
// without buffer heads follows v6.12's fs/iomap/buffered-io.c and block/fops.c: each file is a
// device of its own, of fixed size.
//
// Not thread-safe.
#pragma once

#include "fusefs/model/page_state.hpp"
#include "tools/vmmodel/era.hpp"
#include "tools/vmmodel/predict/contents.hpp"
#include "tools/vmmodel/predict/predictor.hpp"

#include <array>
#include <map>

namespace vmmodel {

class KernelPredictor final : public Predictor {
  public:
    KernelPredictor(Era era, Filesystem filesystem, partialfs::model::BlockSize block_size)
        : era_(rules_of(era)), filesystem_(rules_of(filesystem)), block_size_(block_size) {}

    FileNumber create(partialfs::model::ByteOffset size) override;
    [[nodiscard]] partialfs::model::ByteOffset size(FileNumber file) const override;
    [[nodiscard]] std::vector<std::byte> read(FileNumber file,
                                              partialfs::model::ByteRange range) const override;
    void store(FileNumber file, MapNumber map, partialfs::model::ByteOffset offset,
               std::span<const std::byte> bytes) override;
    void read_fault(FileNumber file, MapNumber map, partialfs::model::ByteRange range) override;
    void write_fault(FileNumber file, MapNumber map, partialfs::model::ByteRange range) override;
    void drop_ptes(FileNumber file, MapNumber map, partialfs::model::ByteRange range) override;
    void unmap(FileNumber file, MapNumber map) override;
    void child_exits(FileNumber file, MapNumber map) override;
    void cached_read(FileNumber file, partialfs::model::ByteRange range) override;
    void write(FileNumber file, partialfs::model::ByteOffset offset,
               std::span<const std::byte> bytes) override;
    void truncate(FileNumber file, partialfs::model::ByteOffset size) override;
    void punch(FileNumber file, partialfs::model::ByteRange range) override;
    void touch_inode(FileNumber file) override;
    void commit() override;
    void fsync(FileNumber file, std::optional<bool> commits) override;
    void msync(FileNumber file, std::optional<MapNumber> map, partialfs::model::ByteRange range,
               std::optional<bool> commits) override;
    void msync_async(FileNumber file, std::optional<MapNumber> map,
                     partialfs::model::ByteRange range) override;
    void sync_file_range(FileNumber file, partialfs::model::ByteRange range,
                         SyncRangeFlags flags) override;
    void sync() override;
    void direct_read(FileNumber file, partialfs::model::ByteRange range) override;
    bool evict(FileNumber file) override;
    [[nodiscard]] std::vector<Damage> damage() const override;
    [[nodiscard]] bool sizes_are_fixed() const override { return filesystem_.is_block_device; }

    /// The state of one page, for display.
    struct PageView {
        partialfs::model::PageState state;
        std::uint64_t present = 0; ///< bit m: mapping m has a PTE for the page
        std::uint64_t dirty = 0;   ///< bit m: that PTE is dirty, and writable from 2.6.19 on
        partialfs::model::BlockMask stale; ///< memory and disk differ
        /// Which operation last changed each block in memory, and which one's bytes the disk has.
        std::array<OpNumber, 8> memory_op{};
        std::array<OpNumber, 8> disk_op{};
    };
    [[nodiscard]] PageView view(FileNumber file, partialfs::model::PageIndex page) const;
    [[nodiscard]] const EraRules& era() const { return era_; }

  private:
    struct Page {
        partialfs::model::PageState state;
        partialfs::model::BlockMask uptodate; ///< BH_Uptodate
        Mappings present = 0;                 ///< the mapping has a PTE for the page
        Mappings dirty = 0;                   ///< its PTE is dirty, and writable from 2.6.19 on
        bool under_writeback = false;         ///< writeback has begun, and nobody has waited for it
        BlockStory story;
        std::array<OpNumber, 8> memory_op{};
        std::array<OpNumber, 8> disk_op{};
    };

    struct File {
        explicit File(partialfs::model::ByteOffset size) : contents(size) {}
        Contents contents;
        std::map<partialfs::model::PageIndex, Page> pages;
        InodeDirty inode_dirty = InodeDirty::yes; ///< it has just been created
    };

    File& at(FileNumber file) { return files_.at(file.value); }
    [[nodiscard]] const File& at(FileNumber file) const { return files_.at(file.value); }
    /// Visits the pages of the range that the file has a record of, in ascending order.
    template <typename Visit>
    static void each_page(File& file, partialfs::model::ByteRange range, Visit visit) {
        if (range.empty()) {
            return;
        }
        const auto end = file.pages.upper_bound(range.last_page());
        for (auto found = file.pages.lower_bound(range.first_page()); found != end; ++found) {
            visit(found->first, found->second);
        }
    }

    static void note(std::array<OpNumber, 8>& by_block, partialfs::model::BlockMask blocks,
                     OpNumber op);
    void note_change(File& file, partialfs::model::ByteRange range) const;
    void end_in_block(File& file, partialfs::model::ByteOffset size) const;
    void fill(Page& page) const;
    void fault_for_write(Page& page, MapNumber map) const;
    void zap(Page& page, MapNumber map) const;
    void collect_dirty_bits(File& file, std::optional<MapNumber> map,
                            partialfs::model::ByteRange range) const;
    void writepage(File& file, partialfs::model::PageIndex index, Page& page);
    void writepages(File& file, partialfs::model::ByteRange range);
    void write_and_wait(File& file, partialfs::model::ByteRange range);
    void out(File& file, partialfs::model::PageIndex index, Page& page,
             partialfs::model::BlockMask blocks) const;
    void flush(File& file);
    void commit_if(File& file, std::optional<bool> commits);

    EraRules era_;
    FilesystemRules filesystem_;
    partialfs::model::BlockSize block_size_;
    std::vector<File> files_;
};

} // namespace vmmodel
