// The events of the trace: of fixed size, and written as lines of JSON.
#pragma once

#include "fusefs/base/enum_names.hpp"
#include "fusefs/faults/operation.hpp"
#include "fusefs/model/types.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace partialfs::trace {

enum class Kind : std::uint8_t {
    explicit_write, ///< write(2): offset, length
    page_dirty,     ///< a page was found PG_dirty, which was not known: page
    ordered_flush,  ///< a commit wrote blocks of a page itself: page, written, commit
    writepage,      ///< the kernel wrote a page back: page, written, skipped
    lost,           ///< writepage passed over bytes that the disk does not have, the disk refused
                    ///< them (error), or a fault left them out: offset, length, page, commit or
                    ///< error
    unverified,     ///< writepage passed over bytes that could not be compared with the disk, as
                    ///< reading it failed; the ledger has them as lost: page, skipped, error
    commit_begin,   ///< commit
    commit,         ///< the commit record: without an error, everything else of that commit is on
                    ///< disk: commit, error
    evict,          ///< the pages of a file were written back and dropped on request
    page_read,      ///< the page cache has read pages that it lacked: offset, length of the request
    truncate,       ///< offset is the new size
    punch,          ///< offset, length
    fsync,          ///< an application's fsync has been served: commit, 0 if it needed none
    rename_flush,   ///< the file's own blocks were flushed because it is being renamed
    unlink,         ///< the last name is gone
    write_error,    ///< a write or sync of the backing file failed: error; see
                    ///< model::tries_again() for what becomes of the blocks
    fault,       ///< a rule of `.partialfs/faults` has fired: operation, action, rule, error if the
                 ///< operation fails, offset and length if it concerns bytes, and for torn and
                 ///< short how many bytes it lets through (amount)
    power_cut,   ///< the power is gone: nothing from before this reaches the disk any more
    cut_took,    ///< a power cut took bytes that memory or the disk's cache held: offset, length
    cut_resized, ///< a power cut took a change of size: offset is the size before, length after it
    power_on,    ///< the power is on again
    undo_full,   ///< the undo records of unsynced changes took too much room: all has been synced
};

inline constexpr std::array kKinds{
    base::EnumName{Kind::explicit_write, "explicit-write"},
    base::EnumName{Kind::page_dirty, "page-dirty"},
    base::EnumName{Kind::ordered_flush, "ordered-flush"},
    base::EnumName{Kind::writepage, "writepage"},
    base::EnumName{Kind::lost, "lost"},
    base::EnumName{Kind::unverified, "unverified"},
    base::EnumName{Kind::commit_begin, "commit-begin"},
    base::EnumName{Kind::commit, "commit"},
    base::EnumName{Kind::evict, "evict"},
    base::EnumName{Kind::page_read, "read"},
    base::EnumName{Kind::truncate, "truncate"},
    base::EnumName{Kind::punch, "punch"},
    base::EnumName{Kind::fsync, "fsync"},
    base::EnumName{Kind::rename_flush, "rename-flush"},
    base::EnumName{Kind::unlink, "unlink"},
    base::EnumName{Kind::write_error, "write-error"},
    base::EnumName{Kind::fault, "fault"},
    base::EnumName{Kind::power_cut, "power-cut"},
    base::EnumName{Kind::cut_took, "cut-took"},
    base::EnumName{Kind::cut_resized, "cut-resized"},
    base::EnumName{Kind::power_on, "power-on"},
    base::EnumName{Kind::undo_full, "undo-full"},
};
constexpr const auto& enum_names(Kind) {
    return kKinds;
}
using base::name_of;

/// One event. Which members are used depends on the kind.
struct Event {
    model::Nanoseconds time{};
    std::uint64_t sequence = 0; ///< counted from 1 by the recorder, without a gap
    model::InodeId inode{};     ///< 0: concerns no file
    std::uint64_t page_or_offset = 0;
    std::uint64_t length = 0;
    model::CommitId commit{};
    std::int32_t error = 0;
    Kind kind = Kind::commit;
    model::BlockMask written{};
    model::BlockMask skipped{};
    faults::Operation operation{};
    faults::Action action{};
    std::uint32_t rule = 0; ///< the number of a rule of faults
    std::uint64_t amount = 0;
};

/// The event as one line of JSON, without the newline. `path` is the file's path relative to the
/// mount, empty if unknown; a mask is written as one digit per block, the first one first: "1010".
std::string to_json(const Event& event, std::string_view path, model::BlockSize block_size);

} // namespace partialfs::trace
