// The expected bytes of all files, after the operations so far.
//
// For every byte it keeps which operation wrote it last, not the byte itself. Its memory is below
// 1 % of the files' sizes when they are written in whole blocks.
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

/// The operation that wrote a byte last.
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
    /// What a version becomes when its bytes move from one file to another, or within one, by
    /// `shift` bytes; a move backwards wraps around.
    [[nodiscard]] Version moved(Version version, FileIndex from, FileIndex to, std::uint64_t shift);
    /// Fills `out` with the bytes that a version has in this file from `offset` on.
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
    /// Follows what an operation does to bytes and sizes; it may be one that changes neither. A
    /// store past the end of the file does not change the file, but see stored_past_eof().
    void apply(const Op& op);

    [[nodiscard]] ByteCount size(FileIndex file) const { return files_[file.value].size; }
    /// Bytes of the file that operations put there, not the file's start: only comparing such bytes
    /// proves something.
    [[nodiscard]] ByteCount stored(FileIndex file) const;
    [[nodiscard]] std::size_t files() const { return files_.size(); }

    /// Fills `out` with the bytes from `offset` on. Past the end of the file they are zeros.
    void fill(FileIndex file, ByteOffset offset, std::span<std::byte> out) const;

    /// Receives wrong bytes: all bytes of `range` differ, and `writer` wrote them last.
    using Sink = std::function<void(ByteRange range, Writer writer)>;
    /// Compares `found`, the bytes from `offset` on, with the expected ones. Calls `sink` for each
    /// maximal run of wrong bytes, ascending; runs end where the writer changes.
    void compare(FileIndex file, ByteOffset offset, std::span<const std::byte> found,
                 const Sink& sink) const;
    /// `found`, from `offset` on, are bytes that are not as expected. Calls `sink` for each run of
    /// bytes that an operation stored there while the place was past the end of the file,
    /// ascending. mmap(2) leaves open whether such bytes appear when the file grows.
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
        /// Bytes stored past the end of the file that have neither been overwritten nor cut off
        /// since; zeros elsewhere.
        VersionMap past_eof;
    };
    /// A version that the operation's id alone does not determine.
    struct Special {
        OpId id;
        ByteOffset offset; ///< of the operation
        Content content;
        FileIndex file;            ///< that it was put into
        std::uint64_t shift = 0;   ///< how far it has moved since; backwards by wrapping around
        Version first = Version{}; ///< of a moved one: its version before the first move
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
    /// The moved versions, so that each is in `specials_` once.
    std::map<std::tuple<FileIndex, Version, std::uint64_t>, Version> moved_;
};

} // namespace mmapstress
