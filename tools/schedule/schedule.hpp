// A schedule: how the files start, the operations in order, how the run ends. And its text format.
//
// The format is lines of text, in UTF-8, each ended by a newline. Blank lines and lines that begin
// with '#' mean nothing. Numbers are decimal. First the header, in this order of keywords:
//
//     mmapstress-schedule 1                 format and its version; the very first line
//     seed 42                               the pattern's seed, 64 bits
//     workload mix                          optional: what made the schedule
//     block 1024                            optional: the block size it ran under, for a predictor
//     contract linux-2.6.19                 optional: of the partialfs that it ran on
//     policy ext3                           optional: of the partialfs that it ran on
//     workers threads=2 processes=1         optional: default one thread in one process
//     commit-by sibling                     optional: sibling (default), syncfs or sync; see op.hpp
//     end fsync,munmap,fsync                optional: (default) or munmap,fsync
//     file 0 size=8388608 start=sparse      one line for each file, counted from 0
//
// `start` says what is done to each file, before the next file, and before any operation:
//     sparse          created, ftruncate() to its size
//     written         created, one pwrite() of all its bytes
//     written+fsync   the same, then fchmod() and fsync()
//     partial+fsync   created, ftruncate() to its size, its start-writes, then fchmod() and fsync()
// A written file's bytes are the pattern of operation 0, or `fill=N` on its line.
//
// Then one line for each operation, ids ascending from 1 (gaps are allowed), start-writes first:
//
//     17 store file=0 map=1 off=4096 len=100 by=2
//     18 write file=0 off=0 len=3 data=00ff7a
//     19 write file=0 off=0 len=512 fill=7
//     20 commit
//     21 truncate file=0 size=12288
//     22 pause us=1500
//     23 fsync file=0 commits=no
//     24 copy file=0 off=0 len=100 source=1 from=4000
//     25 clone-file file=0 len=8192 source=1
//
// op.hpp says what each does. map=0 and by=0 are left out. off= and len= are left out where they
// are optional and mean the whole file. The content is the pattern (pattern.hpp) unless fill= or
// data= (hexadecimal, len= bytes) is there.
//
// `end` is what happens to each file in turn after the last operation, always with fchmod(fd, 0600)
// directly before the first fsync(): fsync, munmap of both mappings, fsync; or munmap, fsync. Then
// all files are evicted (evict's steps after its fsync) and compared.
//
// Plain values and pure functions without I/O; any thread.
#pragma once

#include "fusefs/base/enum_names.hpp"
#include "tools/schedule/op.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// How a file begins.
enum class Start : std::uint8_t { sparse, written, written_fsync, partial_fsync };
/// What happens to each file after the last operation.
enum class End : std::uint8_t { fsync_munmap_fsync, munmap_fsync };
/// What a commit operation calls.
enum class CommitBy : std::uint8_t { sibling, syncfs, sync };

// Their names are the words of the text format.
using partialfs::base::EnumName;
inline constexpr std::array kStarts{EnumName{Start::sparse, "sparse"},
                                    EnumName{Start::written, "written"},
                                    EnumName{Start::written_fsync, "written+fsync"},
                                    EnumName{Start::partial_fsync, "partial+fsync"}};
inline constexpr std::array kEnds{EnumName{End::fsync_munmap_fsync, "fsync,munmap,fsync"},
                                  EnumName{End::munmap_fsync, "munmap,fsync"}};
inline constexpr std::array kCommitBys{EnumName{CommitBy::sibling, "sibling"},
                                       EnumName{CommitBy::syncfs, "syncfs"},
                                       EnumName{CommitBy::sync, "sync"}};
constexpr const auto& enum_names(Start) {
    return kStarts;
}
constexpr const auto& enum_names(End) {
    return kEnds;
}
constexpr const auto& enum_names(CommitBy) {
    return kCommitBys;
}
using partialfs::base::from_name;
using partialfs::base::name_of;

struct FileSpec {
    ByteCount size;
    Start start = Start::sparse;
    Content content; ///< of a written file: pattern (of operation 0) or fill

    bool operator==(const FileSpec&) const = default;
};

/// Everything before the operations.
struct Header {
    std::uint64_t seed = 0;
    std::string workload;                    ///< empty: not given
    std::optional<std::uint32_t> block_size; ///< bytes; 512, 1024, 2048 or 4096
    std::string contract;                    ///< of partialfs; empty: it ran on none
    std::string policy;                      ///< of partialfs, what a commit flushes
    std::uint16_t threads = 1;               ///< in each process
    std::uint16_t processes = 1;
    CommitBy commit_by = CommitBy::sibling;
    End end = End::fsync_munmap_fsync;
    std::vector<FileSpec> files;
    std::vector<Op> start_writes; ///< of kind start_write, ids ascending

    bool operator==(const Header&) const = default;
    [[nodiscard]] std::uint32_t workers() const {
        return std::uint32_t{threads} * std::uint32_t{processes};
    }
};

struct Schedule {
    Header header;
    std::vector<Op> ops; ///< ids ascending, above those of the start-writes

    bool operator==(const Schedule&) const = default;
};

/// What is wrong with a schedule.
struct ScheduleError {
    std::size_t line = 0; ///< counted from 1; 0 where there is no text
    std::string reason;

    /// "line 7: no such operation: 'stor'"
    [[nodiscard]] std::string message() const;
};

/// Reads a schedule and checks all of it (OpChecker).
std::expected<Schedule, ScheduleError> parse_schedule(std::string_view text);

/// Appends the header's lines, start-writes included.
void print_header(std::string& out, const Header& header);
/// Appends one operation's line, with its newline.
void print_op(std::string& out, const Op& op);
/// The schedule as text. parse_schedule() of it gives the same schedule.
std::string print_schedule(const Schedule& schedule);

/// Follows the files' sizes and refuses what cannot be carried out: an unknown file, ids that do
/// not ascend, a store past the last page of the file, content of the wrong length.
class OpChecker {
  public:
    explicit OpChecker(const Header& header);

    /// Nothing if `op` may come next, else the reason in words.
    std::optional<std::string> check(const Op& op);
    /// The file's size after the operations so far.
    [[nodiscard]] ByteCount size(FileIndex file) const { return sizes_[file.value]; }

  private:
    std::optional<std::string> check_place(const Op& op);
    [[nodiscard]] std::optional<std::string> check_shape(const Op& op) const;

    std::uint32_t workers_;
    bool started_ = false; ///< an operation other than start_write has been seen
    OpId last_;
    std::vector<ByteCount> sizes_;
    std::vector<Start> starts_;
};

/// Checks a schedule that did not come from text; `line` of the error is 0.
std::optional<ScheduleError> check_schedule(const Schedule& schedule);

} // namespace mmapstress
