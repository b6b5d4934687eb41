// A modern kernel with partialfs, the FUSE daemon, on top: what the daemon can know of a schedule,
// and what it therefore loses. The kernel's part follows Linux 6.x's fs/fuse without the writeback
// cache; the daemon's part is FuseDaemon.
//
// Where it differs from the genuine old kernel, because the daemon gets no request:
//   - sync_file_range(2) on pages that only write(2) touched does nothing;
//   - munmap, a child's exit and closing a descriptor write the inode's dirty pages back, so they
//     lose what the old kernel's munmap rescued;
//   - a second mapping's first fault on a page that is PG_dirty already is not seen;
//   - sync(2) and syncfs(2) write dirty pages back and do not commit;
//   - a truncation drops the whole file from the page cache, and writes its dirty pages back.
// And from the genuine block device (contract linux-6.12-blockdev), for the same reason:
//   - a page that only write(2) touched may leave the page cache without the daemon seeing it. A
//     device writes it back first and clears its blocks' dirty bits; the daemon keeps these bits
//     until its own writeback, so a store into these blocks survives;
//   - the same with sync_file_range(2);
//   - a write(2) brings the daemon only its own bytes, so it does not save those in the block that
//     an earlier writeback has passed over, unless the page is PG_dirty again.
//
// Not thread-safe.
#pragma once

#include "tools/vmmodel/predict/fuse_daemon.hpp"
#include "tools/vmmodel/predict/predictor.hpp"

#include <vector>

namespace vmmodel {

class FusePredictor final : public Predictor {
  public:
    FusePredictor(partialfs::model::Contract contract, partialfs::model::FlushPolicy policy,
                  partialfs::model::BlockSize block_size)
        : daemon_(contract, policy, block_size), block_size_(block_size) {}

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
    FuseFile& at(FileNumber file) { return files_.at(file.value); }
    [[nodiscard]] const FuseFile& at(FileNumber file) const { return files_.at(file.value); }

    void fetch(FuseFile& file, partialfs::model::PageIndex index);
    void write_back(FuseFile& file, partialfs::model::ByteRange range);
    static void drop_page(FuseFile& file, partialfs::model::PageIndex index, FuseFile::Page& page);
    void daemon_fsync(FuseFile& file, std::optional<bool> commits);

    FuseDaemon daemon_;
    partialfs::model::BlockSize block_size_;
    std::vector<FuseFile> files_;
};

} // namespace vmmodel
