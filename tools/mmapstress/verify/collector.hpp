// Collects wrong bytes as they are found, with the page that they were found in.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/verify/expected.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

namespace mmapstress {

/// A page's bytes as they were found; shorter at the end of a file.
using FoundPage = std::shared_ptr<const std::vector<std::byte>>;

/// Wrong bytes inside one page, as found.
struct Finding {
    FileIndex file;
    ByteRange range;
    std::uint8_t stages = 0; ///< bit i: in stage i
    Writer writer;           ///< whose bytes should be there
    /// foreign: the bytes that are there are still to be explained; missing: the file ends before
    /// them; unreadable: reading them fails; past_eof. No other kind.
    DamageKind kind = DamageKind::foreign;
    FoundPage page; ///< nullptr without bytes, or if too much damage was found to keep it
    OpId origin;    ///< of kind past_eof: the operation that stored the bytes that are there

    /// The bytes found in the place of `range`; empty without a page.
    [[nodiscard]] std::span<const std::byte> found() const;
};

/// Not thread-safe.
class Collector {
  public:
    /// At most so many findings are kept; more are only counted.
    static constexpr std::size_t kFindingsKept = 1000000;
    /// The bytes of at most so many pages are kept.
    static constexpr std::size_t kPagesKept = 32768;

    /// Bytes of past_eof() are kept but not counted as wrong, unless `past_eof_is_damage`.
    explicit Collector(bool past_eof_is_damage = false) : past_eof_is_damage_(past_eof_is_damage) {}

    /// Begins a stage, to which all later findings belong.
    void begin(Stage stage) { stage_ = stage; }
    /// Wrong bytes: `range` of `file`, which is split at page boundaries. `chunk` are the bytes
    /// that were read from `at` on.
    void wrong(FileIndex file, ByteRange range, Writer writer, ByteOffset at,
               std::span<const std::byte> chunk);
    /// Bytes that were stored past the end of the file, and appeared when it grew: damage if
    /// `past_eof_is_damage`.
    void past_eof(FileIndex file, ByteRange range, Writer writer, OpId origin);
    /// Wrong bytes without contents: they are missing, or unreadable.
    void without_bytes(FileIndex file, ByteRange range, Writer writer, DamageKind kind);

    [[nodiscard]] std::uint64_t wrong_bytes(Stage stage) const {
        return bytes_[static_cast<std::size_t>(stage)];
    }
    [[nodiscard]] std::uint64_t ranges(Stage stage) const {
        return ranges_[static_cast<std::size_t>(stage)];
    }
    [[nodiscard]] std::uint64_t not_kept() const { return not_kept_; }
    [[nodiscard]] bool empty() const { return findings_.empty(); }
    /// Ordered by file, offset and the order of discovery.
    [[nodiscard]] std::vector<Finding> take();
    /// The bytes of past_eof() that are no damage, ordered; each once, even if several stages found
    /// them.
    [[nodiscard]] std::vector<PastEof> past_eof() const;

  private:
    using Key = std::tuple<FileIndex, ByteOffset, ByteOffset>;

    void add(Finding finding);
    FoundPage page_at(FileIndex file, PageIndex page, ByteOffset at,
                      std::span<const std::byte> chunk);

    bool past_eof_is_damage_;
    std::map<Key, OpId> past_eof_; ///< those that are no damage
    Stage stage_ = Stage::live;
    std::multimap<Key, Finding> findings_;
    std::array<std::uint64_t, kStages> bytes_{};
    std::array<std::uint64_t, kStages> ranges_{};
    std::uint64_t not_kept_ = 0;
    // The page that the last finding was in: the next one is often in the same.
    FoundPage last_page_;
    std::tuple<FileIndex, PageIndex, Stage, const std::byte*> last_key_{};
    std::size_t pages_ = 0;
};

} // namespace mmapstress
