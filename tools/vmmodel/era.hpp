// The kernels and the filesystems that the model knows, with their differences side by side.
//
// Each era is a small difference to the one before it; everything else in the model is common to
// all of them. Pure values.
#pragma once

#include "fusefs/model/contract.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace vmmodel {

/// A kernel's way of finding out that a page was stored into through a mapping.
enum class Era : std::uint8_t {
    linux_2_6_18,
    linux_2_6_19,
    linux_2_6_20,
    linux_2_6_23,
    linux_2_6_27,
    /// Linux 6.6 and later, as 6.12, built with CONFIG_BUFFER_HEAD=n: its block devices.
    linux_6_12_blockdev,
};

/// What an era does. One row per era in kEras, so that they can be read next to each other.
struct EraRules {
    Era era;
    std::string_view name;
    /// Commit d08b3851da41 (2.6.19), "mm: tracking shared dirty pages": PTEs of shared mappings are
    /// write-protected while the page is clean, so that the first store faults (do_wp_page) and
    /// calls set_page_dirty; writeback write-protects them again (page_mkclean). Before it, a PTE's
    /// dirty bit reached the page only at unmap (zap_pte_range), msync (msync_pte_range) and
    /// reclaim (try_to_unmap_one).
    bool tracks_shared_dirty;
    /// Commit 7658cc289288 (2.6.20), "VM: Fix nasty and subtle race in shared mmap'ed page
    /// writeback": clear_page_dirty_for_io calls set_page_dirty if page_mkclean found a dirty PTE.
    bool tells_filesystem;
    /// Commit 79352894b285 (2.6.23), "mm: fix clear_page_dirty_for_io vs fault race": the
    /// set_page_dirty of a write fault is done under the page lock.
    bool fault_locks_page;
    /// Commit 479db0bf408e (2.6.27), "mm: dirty page tracking race fix": page_mkclean takes the
    /// page table lock always; before, it passed over an entry that it saw not present, although
    /// another CPU could be in the middle of moving that entry's dirty bit to the page.
    bool mkclean_locks_pte;
    /// msync(2) (from 3.16 on) and an O_DIRECT read write back the range that they are given;
    /// before, all of the file.
    bool syncs_ranges;
    std::string_view commit; ///< the kernel commit that made the difference; empty for the first
    std::string_view difference; ///< a line for people
};

inline constexpr std::array<EraRules, 6> kEras{{
    {Era::linux_2_6_18, "linux-2.6.18", false, false, false, false, false, "",
     "shared dirty pages are not tracked: a PTE's dirty bit is found at unmap, msync, reclaim"},
    {Era::linux_2_6_19, "linux-2.6.19", true, false, false, false, false, "d08b3851da41",
     "write-protect and track; page_mkclean drops the dirty bit and the filesystem is not told"},
    {Era::linux_2_6_20, "linux-2.6.20", true, true, false, false, false, "7658cc289288",
     "set_page_dirty before ->writepage if a PTE was dirty; a write fault can still race with it"},
    {Era::linux_2_6_23, "linux-2.6.23", true, true, true, false, false, "79352894b285",
     "the write fault takes the page lock: the race is closed"},
    {Era::linux_2_6_27, "linux-2.6.27", true, true, true, true, false, "479db0bf408e",
     "page_mkclean takes the page table lock: no PTE escapes it while munmap moves its dirty bit"},
    {Era::linux_6_12_blockdev, "linux-6.12-blockdev", true, true, true, true, true, "925c86a19bac",
     "a block device without buffer heads: a mapped store marks the page, and none of its blocks"},
}};

constexpr const EraRules& rules_of(Era era) {
    return kEras[static_cast<std::size_t>(era)];
}

/// Which dirty blocks a filesystem writes by itself when its journal commits.
enum class Filesystem : std::uint8_t {
    /// Those on the running transaction's ordered list, as ext3 data=ordered
    /// (journal_submit_data_buffers, fs/jbd/commit.c).
    ordered,
    /// Those of every page that has been reported dirty to it (set_page_dirty).
    ordered_eager,
    /// None: it writes only what ->writepage hands it, as ext2 or ext3 data=writeback.
    writeback,
    /// Those on reiserfs' ordered list, which blocks join by other rules. For predictions only: the
    /// machine has neither holes nor pages that are partly read in, on which these rules turn.
    reiserfs,
    /// None: a block device itself, without buffer heads and without a journal.
    blockdev,
};

/// What makes a block join the running transaction's ordered list.
enum class OrderedList : std::uint8_t {
    /// write(2), and ->writepage of the block's page.
    ext3,
    /// The block's allocation on disk; write(2) in the page that the file ends in.
    reiserfs,
};

struct FilesystemRules {
    Filesystem filesystem;
    std::string_view name;
    /// Nothing if a commit writes no data.
    std::optional<partialfs::model::FlushPolicy> flushes;
    std::string_view difference;
    OrderedList list = OrderedList::ext3;
    /// Pages have dirty bits for their blocks, which a mapped store does not set
    /// (fusefs/model/block_device.hpp). The size does not change, and there is nothing to commit.
    bool is_block_device = false;
};

/// Those that the machine knows, with the eras of 2006. Each is named after the flush policy of
/// partialfs that does the same.
inline constexpr std::array<FilesystemRules, 3> kFilesystems{{
    {Filesystem::ordered, "ext3", partialfs::model::FlushPolicy::ext3,
     "a commit writes the dirty blocks on its ordered list (joined by write(2) and writepage)"},
    {Filesystem::ordered_eager, "eager", partialfs::model::FlushPolicy::eager,
     "a commit writes every dirty block"},
    {Filesystem::writeback, "writeback", std::nullopt, "a commit writes no data"},
}};

inline constexpr FilesystemRules kReiserfs{
    Filesystem::reiserfs, "reiserfs", partialfs::model::FlushPolicy::ext3,
    "a commit writes the dirty blocks that have got their place on disk since the last",
    OrderedList::reiserfs};

/// Goes with the era linux-6.12-blockdev alone; --filesystem accepts that era's name for it, too.
inline constexpr FilesystemRules kBlockdev{
    .filesystem = Filesystem::blockdev,
    .name = "blockdev",
    .flushes = std::nullopt,
    .difference =
        "no commit; each block of a page has a dirty bit, which a mapped store leaves clear",
    .is_block_device = true};

constexpr const FilesystemRules& rules_of(Filesystem filesystem) {
    switch (filesystem) {
    case Filesystem::reiserfs:
        return kReiserfs;
    case Filesystem::blockdev:
        return kBlockdev;
    default:
        return kFilesystems[static_cast<std::size_t>(filesystem)];
    }
}

/// A kernel and the filesystem that it runs.
struct Setting {
    Era era = Era::linux_2_6_19;
    Filesystem filesystem = Filesystem::ordered;

    bool operator==(const Setting&) const = default;
};

/// Whether the era has this filesystem: the block device belongs to an era of its own, which has no
/// other.
constexpr bool go_together(const Setting& setting) {
    return (setting.era == Era::linux_6_12_blockdev) ==
           (setting.filesystem == Filesystem::blockdev);
}

/// Every setting that the machine knows: era by era, with each filesystem that goes with it.
inline constexpr auto kSettings = [] {
    std::array<Setting, (kEras.size() - 1) * kFilesystems.size() + 1> all{};
    std::size_t next = 0;
    for (const EraRules& era : kEras) {
        for (const FilesystemRules& filesystem : kFilesystems) {
            if (go_together({era.era, filesystem.filesystem})) {
                all[next++] = {era.era, filesystem.filesystem};
            }
        }
    }
    all[next] = {Era::linux_6_12_blockdev, Filesystem::blockdev};
    return all;
}();

/// The part of a setting that the user gave: both, either or none.
struct AskedSetting {
    std::optional<Era> era;
    std::optional<Filesystem> filesystem;
};

/// `asked`; what it leaves open is taken from `otherwise`. Where these two do not go together, the
/// open part is the default that goes with the given one. Fails, with a line for people, if both
/// parts are given and do not go together.
std::expected<Setting, std::string> setting_for(const AskedSetting& asked,
                                                const Setting& otherwise = {});

/// The era of that name; nothing for any other text.
std::optional<Era> era_from(std::string_view name);

} // namespace vmmodel
