// A modern kernel with partialfs, the FUSE daemon, on top: what the daemon can know of a schedule,
// and what it therefore loses. The kernel's part is that of Linux 6.x's fs/fuse without the
// writeback cache; the daemon's part goes through partialfs::model::FileBlocks, as the daemon does.
//
// Where it differs from the genuine old kernel, because nobody tells a daemon:
//   - sync_file_range(2) on pages that only write(2) touched does nothing;
//   - munmap, a child's exit and closing a descriptor write the inode's dirty pages back, so they
//     lose what the old kernel's munmap rescued;
//   - a second mapping's first fault on a page that is PG_dirty already is unseen;
//   - sync(2) and syncfs(2) write dirty pages back and do not commit;
//   - a truncation drops the whole file from the page cache, and writes its dirty pages back.
//
// Not thread-safe.
#pragma once

#include "fusefs/model/file_blocks.hpp"
#include "tools/vmmodel/contents.hpp"
#include "tools/vmmodel/era.hpp"
#include "tools/vmmodel/predictor.hpp"

#include <map>
#include <set>

namespace vmmodel {

class FusePredictor final : public Predictor {
  public:
    FusePredictor(partialfs::model::Contract contract, partialfs::model::FlushPolicy policy,
                  partialfs::model::BlockSize block_size)
        : contract_(contract), policy_(policy), block_size_(block_size) {}

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
    void cached_read(FileNumber file, partialfs::model::ByteRange range) override;
    void direct_read(FileNumber file, partialfs::model::ByteRange range) override;
    bool evict(FileNumber file) override;
    [[nodiscard]] std::vector<Damage> damage() const override;

  private:
    using Mappings = std::uint64_t;

    /// The kernel's page.
    struct Page {
        bool cached = false;
        bool uptodate = false; ///< a write(2) of part of a page alone does not make it so
        bool dirty = false;    ///< PG_dirty
        Mappings present = 0;
        Mappings writable = 0;
        BlockStory story;
    };

    enum class InodeDirty : std::uint8_t { no, if_clock_moved, yes };

    struct File {
        File(partialfs::model::ByteOffset size, partialfs::model::BlockSize block_size)
            : contents(size), blocks(block_size) {}
        Contents contents;
        std::map<partialfs::model::PageIndex, Page> pages;
        // The daemon's part.
        partialfs::model::FileBlocks blocks;
        partialfs::model::ByteOffset backing_size;
        bool sparse = false;
        std::set<partialfs::model::PageIndex> backed;  ///< pages that the backing file has data of
        std::set<partialfs::model::PageIndex> partial; ///< whose first read does not mean eviction
        bool mtime_held = false;
        InodeDirty inode_dirty = InodeDirty::yes;
    };

    File& at(FileNumber file) { return files_.at(file.value); }
    [[nodiscard]] const File& at(FileNumber file) const { return files_.at(file.value); }
    [[nodiscard]] bool ext3() const { return policy_ == partialfs::model::FlushPolicy::ext3; }

    // The kernel.
    void fetch(File& file, partialfs::model::PageIndex index);
    void write_back(File& file, partialfs::model::ByteRange range);
    void drop_page(File& file, partialfs::model::PageIndex index, Page& page);
    // The daemon.
    void daemon_read(File& file, const std::vector<partialfs::model::PageIndex>& pages);
    void daemon_writepage(File& file, partialfs::model::PageIndex index, Page& page);
    void daemon_fsync(File& file, std::optional<bool> commits);
    void write_back_unmapped(File& file);
    void flush(File& file);
    void let_metadata_through(File& file);
    void learn_allocation(File& file, partialfs::model::ByteRange range);
    void touch_mtime(File& file);
    void written(File& file, partialfs::model::PageIndex index, partialfs::model::BlockMask blocks,
                 bool whole_blocks);

    partialfs::model::Contract contract_;
    partialfs::model::FlushPolicy policy_;
    partialfs::model::BlockSize block_size_;
    std::vector<File> files_;
};

} // namespace vmmodel
