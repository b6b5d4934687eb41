// The expected bytes of all files, after the operations so far.
//
// Holds for every byte which operation wrote it last, not the byte itself. Memory is below 1 % of
// the files' sizes when they are written in whole blocks.
//
// Not thread-safe; const functions may run at the same time as one another.
#pragma once

#include "tools/mmapstress/verify/version_map.hpp"
#include "tools/schedule/op_effect.hpp"
#include "tools/schedule/schedule.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <tuple>
#include <vector>

namespace mmapstress {

/// Who wrote a byte last.
struct Writer {
    OpId id;           ///< 0: the file's start
    bool zero = false; ///< the byte is zero: a hole, or truncated or punched away

    bool operator==(const Writer&) const = default;
};

class Expected {
  public:
    /// The files as `header` says they start, start-writes included.
    explicit Expected(const Header& header);

    /// The bytes of an operation, zeros if it has none of its own.
    [[nodiscard]] Version version_of(const Op& op);
    /// What a version becomes that moves from one file to another, or in one, by `shift` bytes,
    /// backwards by wrapping around.
    [[nodiscard]] Version moved(Version version, FileIndex from, FileIndex to, std::uint64_t shift);
    /// Fills `out` with what a version has in this file from `offset` on.
    void fill_version(FileIndex file, Version version, ByteOffset offset,
                      std::span<std::byte> out) const;
    /// Puts a version into `range`. Sizes stay as they are.
    void put(FileIndex file, ByteRange range, Version version) {
        files_[file.value].map.assign(range, version);
    }
    /// Calls `visit(ByteRange, Version)` for the pieces that make up `range`.
    template <typename Visit>
    void visit(FileIndex file, ByteRange range, Visit visit) const {
        files_[file.value].map.visit(range, visit);
    }
    /// Changes nothing but the size.
    void set_size(FileIndex file, ByteCount size) { files_[file.value].size = size; }
    /// Follows what an operation does to bytes and sizes. Operations that do nothing to either are
    /// welcome. A store past the end of the file does not exist for the file, but see
    /// stored_past_eof().
    void apply(const Op& op);

    [[nodiscard]] ByteCount size(FileIndex file) const { return files_[file.value].size; }
    /// Bytes of the file that an operation, and not its start, put there: what is compared with
    /// them proves something.
    [[nodiscard]] ByteCount stored(FileIndex file) const;
    [[nodiscard]] std::size_t files() const { return files_.size(); }

    /// Fills `out` with the bytes from `offset` on. Past the end of the file they are zeros.
    void fill(FileIndex file, ByteOffset offset, std::span<std::byte> out) const;

    /// Wrong bytes: `range`, all of which differ, and were last written by `writer`.
    using Sink = std::function<void(ByteRange range, Writer writer)>;
    /// Compares `found`, the bytes from `offset` on, with the expected ones. Calls `sink` for each
    /// maximal run of wrong bytes, ascending; runs end where the writer changes.
    void compare(FileIndex file, ByteOffset offset, std::span<const std::byte> found,
                 const Sink& sink) const;
    /// Of bytes that are not as expected: `found`, from `offset` on, as far as they are what an
    /// operation stored there when the place was past the end of the file. Calls `sink` for each
    /// run of such bytes, ascending. mmap(2) leaves open whether they appear when the file grows.
    void stored_past_eof(FileIndex file, ByteOffset offset, std::span<const std::byte> found,
                         const Sink& sink) const;
    /// Calls `sink` for all of `range` piece by piece, as if every byte of it were wrong.
    void blame(FileIndex file, ByteRange range, const Sink& sink) const;

    /// Bytes of memory that the maps hold.
    [[nodiscard]] std::size_t memory() const;
    [[nodiscard]] std::uint64_t seed() const { return seed_; }

  private:
    struct File {
        ByteCount size;
        VersionMap map;
        /// What was stored past the end of the file, and has neither been written over nor cut off
        /// since; zeros elsewhere.
        VersionMap past_eof;
    };
    /// A version that the operation's id alone does not tell.
    struct Special {
        OpId id;
        ByteOffset offset; ///< of the operation
        Content content;
        FileIndex file;            ///< that it was put into
        std::uint64_t shift = 0;   ///< how far it has moved since; backwards by wrapping around
        Version first = Version{}; ///< of a moved one: what it was before it moved at all
    };

    [[nodiscard]] Version version_of(FileIndex file, OpId id, ByteOffset offset,
                                     const Content& content);
    void write(FileIndex file, ByteRange range, OpId id, ByteOffset offset, const Content& content);
    void move(const Op& op);
    void move(VersionMap File::* which, const Op& op, const Move& move);
    [[nodiscard]] Writer writer_of(Version version) const;

    std::uint64_t seed_;
    std::vector<File> files_;
    std::vector<Special> specials_;
    /// Those that have moved, so that each is there once.
    std::map<std::tuple<FileIndex, Version, std::uint64_t>, Version> moved_;
};

} // namespace mmapstress
