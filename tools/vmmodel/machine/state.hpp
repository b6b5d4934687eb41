// One state of the machine: everything that decides what can still happen, in 64 bytes.
//
// A value: compared and hashed byte by byte, so every byte of it is meaningful or zero.
#pragma once

#include "fusefs/model/page_state.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace vmmodel {

inline constexpr int kMaxPages = 2;
inline constexpr int kMaxBlocks = 4;
inline constexpr int kMaxProcesses = 2;

/// A page table entry, by the bits that matter here.
struct Pte {
    std::uint8_t bits = 0;

    static constexpr std::uint8_t kPresent = 1;
    static constexpr std::uint8_t kWritable = 2;
    static constexpr std::uint8_t kDirty = 4;

    [[nodiscard]] bool present() const { return (bits & kPresent) != 0; }
    [[nodiscard]] bool writable() const { return (bits & kWritable) != 0; }
    [[nodiscard]] bool dirty() const { return (bits & kDirty) != 0; }
};

/// A page, as the VM, the filesystem and the disk see it.
struct PageCell {
    partialfs::model::PageState fs;         ///< the buffer heads, and PG_dirty
    partialfs::model::BlockMask committing; ///< on the committing transaction's list
    partialfs::model::BlockMask io;         ///< on their way to the disk: BH_Lock is held
    /// On their way to the disk, which does not have the bytes yet; `versions` says that it has.
    partialfs::model::BlockMask unsettled;
    std::uint8_t cached : 1 = 0;    ///< in the page cache, up to date
    std::uint8_t writeback : 1 = 0; ///< PG_writeback
    std::uint8_t unused : 6 = 0;
    std::array<Pte, kMaxProcesses> pte{};
    /// Per block: which version of its bytes is in memory (high nibble) and on disk (low).
    std::array<std::uint8_t, kMaxBlocks> versions{};

    [[nodiscard]] unsigned memory(int block) const {
        return versions[static_cast<std::size_t>(block)] >> 4U;
    }
    [[nodiscard]] unsigned disk(int block) const {
        return versions[static_cast<std::size_t>(block)] & 15U;
    }
    void set(int block, unsigned memory, unsigned disk) {
        versions[static_cast<std::size_t>(block)] = static_cast<std::uint8_t>(memory << 4U | disk);
    }
};

/// Where a thread of control is, in the function that it executes.
enum class At : std::uint8_t {
    idle,
    // A store that faulted: do_no_page or do_wp_page has installed the PTE.
    fault_wait,    ///< wait_on_page_locked (from 2.6.23 on)
    fault_buffers, ///< about to call set_page_dirty: the buffers
    fault_flag,    ///< in set_page_dirty: PG_dirty
    store_retry,   ///< the store instruction is tried again
    // write(2)
    write_commit, ///< bytes copied, page locked: ->commit_write
    // munmap: zap_pte_range has cleared the PTE, under the page table lock.
    zap_buffers,
    zap_flag,
    sync_next, ///< fsync and msync: pages left to write, then all to wait for
    // clear_page_dirty_for_io and ->writepage, with the page locked.
    wp_test_clear_first, ///< TestClearPageDirty, before page_mkclean (2.6.18, 2.6.19)
    wp_mkclean,          ///< page_mkclean: PTEs left to clean
    wp_dirty_buffers,    ///< set_page_dirty, as a PTE was dirty: the buffers (from 2.6.20 on)
    wp_dirty_flag,
    wp_test_clear, ///< TestClearPageDirty (from 2.6.20 on)
    wp_write,      ///< ->writepage
};

/// A thread of control in the kernel.
struct Actor {
    At at = At::idle;
    std::uint8_t page = 0;
    std::uint8_t block = 0; ///< of a store or write(2)
    std::uint8_t flags = 0; ///< see the constants

    /// Two bits from here: the processes whose PTEs page_mkclean has not looked at yet.
    static constexpr unsigned kPtesShift = 0;
    /// Two bits from here: the pages that fsync or msync has not written yet.
    static constexpr unsigned kPagesShift = 2;
    static constexpr std::uint8_t kPages = 3U << kPagesShift;
    static constexpr std::uint8_t kPtes = 3U << kPtesShift;
    static constexpr std::uint8_t kFoundDirty = 16; ///< page_mkclean found a dirty PTE
    static constexpr std::uint8_t kMsync = 32;      ///< msync, not fsync
};

/// Whether the thread holds the page's lock: in write(2), and from lock_page to unlock_page.
inline bool holds_page_lock(const Actor& actor, int page) {
    return actor.page == page &&
           (actor.at == At::write_commit || actor.at >= At::wp_test_clear_first);
}

struct Process {
    Actor actor;
    /// The versions that fsync or msync must have on disk when it returns: a nibble per block,
    /// page 0 in the first two bytes.
    std::array<std::uint8_t, kMaxPages * kMaxBlocks / 2> owed{};

    [[nodiscard]] unsigned owes(int page, int block) const {
        const auto [byte, shift] = nibble(page, block);
        return unsigned{owed[byte]} >> shift & 15U;
    }
    void owe(int page, int block, unsigned version) {
        const auto [byte, shift] = nibble(page, block);
        owed[byte] = static_cast<std::uint8_t>((owed[byte] & ~(15U << shift)) | version << shift);
    }

  private:
    struct Nibble {
        std::size_t byte;
        unsigned shift;
    };
    static Nibble nibble(int page, int block) {
        const std::size_t number =
            (static_cast<std::size_t>(page) * kMaxBlocks) + static_cast<std::size_t>(block);
        return {number / 2, number % 2 == 0 ? 0U : 4U};
    }
};

/// The events that are counted: how many of each may still happen.
enum class Event : std::uint8_t {
    store,
    write,
    commit,
    writepage,
    fsync,
    msync,
    unmap,
    strip,
    truncate,
};
inline constexpr std::size_t kEvents = 9;

struct State {
    std::array<PageCell, kMaxPages> pages{};
    std::array<Process, kMaxProcesses> processes{};
    Actor writeback;
    std::array<std::uint8_t, kEvents> left{};
    std::array<std::uint8_t, 3> unused{};

    bool operator==(const State& other) const {
        return std::memcmp(static_cast<const void*>(this), &other, sizeof(State)) == 0;
    }
};

static_assert(sizeof(PageCell) == 16 && sizeof(Process) == 8 && sizeof(State) == 64);
static_assert(std::has_unique_object_representations_v<partialfs::model::BlockMask>);
static_assert(std::is_trivially_copyable_v<State>);

} // namespace vmmodel
