// Strong types for what the project counts: bytes, blocks, pages, inodes, commits.
//
// Everything here is a value: no I/O, no locks, safe to use from any thread.
#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>

namespace partialfs::model {

/// A precondition. With PARTIALFS_CHECKS (debug, sanitizers, fuzzing) a false one aborts the
/// program; without, it is not checked.
constexpr void expects([[maybe_unused]] bool condition) {
#ifdef PARTIALFS_CHECKS
    if (!condition) {
        std::abort();
    }
#endif
}

/// A number that can be compared only with numbers of its own kind. `Tag` tells the kinds apart.
template <typename Tag, typename Number = std::uint64_t>
struct Strong {
    Number value{};

    constexpr Strong() = default;
    constexpr explicit Strong(Number number) : value(number) {}
    constexpr auto operator<=>(const Strong&) const = default;
    constexpr Strong& operator++() {
        ++value;
        return *this;
    }
};

/// Position of a page in its file: byte offset divided by kPageSize (the kernel's pgoff_t).
using PageIndex = Strong<struct PageTag>;
/// Position of a block in its file: byte offset divided by the block size.
using BlockIndex = Strong<struct BlockTag>;
/// Position of a block in its page: 0 up to blocks per page - 1.
using BlockInPage = Strong<struct BlockInPageTag, std::uint8_t>;
/// Byte position in a file. Up to 2^63 - 1, as loff_t.
using ByteOffset = Strong<struct OffsetTag>;
/// A number of bytes.
using ByteCount = Strong<struct CountTag>;
/// Names an inode for as long as the mount lives. Never reused.
using InodeId = Strong<struct InodeTag>;
/// Number of a commit of the mount, counted from 1; 64 bits never wrap. 0 means "none".
using CommitId = Strong<struct CommitTag>;
/// Monotonic nanoseconds. Passed in by the caller; the model has no clock.
using Nanoseconds = Strong<struct TimeTag>;

/// The page size that the whole project assumes: x86's. Checked against the kernel's at start-up.
inline constexpr std::uint64_t kPageSize = 4096;

constexpr PageIndex page_of(ByteOffset offset) {
    return PageIndex{offset.value / kPageSize};
}
constexpr ByteOffset start_of(PageIndex page) {
    return ByteOffset{page.value * kPageSize};
}
/// An offset or a size of the system's type (loff_t). A negative one, which a request may bring,
/// becomes one beyond the end of any file.
constexpr ByteOffset offset_of(std::int64_t offset) {
    return ByteOffset{static_cast<std::uint64_t>(offset)};
}
constexpr ByteOffset operator+(ByteOffset offset, ByteCount count) {
    return ByteOffset{offset.value + count.value};
}
/// Bytes from `from` to `to`; `to` must not lie before `from`.
constexpr ByteCount operator-(ByteOffset to, ByteOffset from) {
    expects(from <= to);
    return ByteCount{to.value - from.value};
}

/// Half-open range of bytes [begin, end) of a file. Empty if end <= begin.
struct ByteRange {
    ByteOffset begin;
    ByteOffset end;

    constexpr auto operator<=>(const ByteRange&) const = default;
    [[nodiscard]] constexpr bool empty() const { return end <= begin; }
    [[nodiscard]] constexpr ByteCount size() const { return empty() ? ByteCount{0} : end - begin; }
    [[nodiscard]] constexpr bool contains(ByteOffset offset) const {
        return begin <= offset && offset < end;
    }
    /// The page of `begin`: the first page that the range touches, if it is not empty.
    [[nodiscard]] constexpr PageIndex first_page() const { return page_of(begin); }
    /// Last page the range touches. The range must not be empty.
    [[nodiscard]] constexpr PageIndex last_page() const {
        expects(!empty());
        return page_of(ByteOffset{end.value - 1});
    }
};

/// Behind every byte that a file can have.
inline constexpr ByteOffset kBehindAll{~std::uint64_t{0}};
inline constexpr ByteRange kAllBytes{ByteOffset{0}, kBehindAll};

constexpr ByteRange intersect(ByteRange a, ByteRange b) {
    return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}
constexpr ByteRange range_of(PageIndex page) {
    return {start_of(page), ByteOffset{start_of(page).value + kPageSize}};
}

/// The pages that a range of bytes touches, ascending: `for (const PageIndex page :
/// pages_of(range))`.
class PageSpan {
  public:
    class Iterator {
      public:
        constexpr explicit Iterator(std::uint64_t page) : page_(page) {}
        constexpr PageIndex operator*() const { return PageIndex{page_}; }
        constexpr Iterator& operator++() {
            ++page_;
            return *this;
        }
        constexpr bool operator==(const Iterator&) const = default;

      private:
        std::uint64_t page_;
    };

    constexpr explicit PageSpan(ByteRange range)
        : begin_(range.empty() ? 0 : range.first_page().value),
          end_(range.empty() ? 0 : range.last_page().value + 1) {}
    [[nodiscard]] constexpr Iterator begin() const { return Iterator{begin_}; }
    [[nodiscard]] constexpr Iterator end() const { return Iterator{end_}; }
    [[nodiscard]] constexpr std::uint64_t count() const { return end_ - begin_; }

  private:
    std::uint64_t begin_;
    std::uint64_t end_;
};
constexpr PageSpan pages_of(ByteRange range) {
    return PageSpan{range};
}
/// `range` widened to whole pages; an empty range stays empty.
constexpr ByteRange whole_pages(ByteRange range) {
    return range.empty() ? range
                         : ByteRange{start_of(range.first_page()), range_of(range.last_page()).end};
}

/// A set of blocks of one page: bit i is block i. Eight bits, as a page has at most 4096/512
/// blocks.
class BlockMask {
  public:
    constexpr BlockMask() = default;
    constexpr explicit BlockMask(std::uint8_t bits) : bits_(bits) {}
    /// `block` must be one of the eight.
    static constexpr BlockMask of(BlockInPage block) {
        expects(block.value < 8);
        return BlockMask{static_cast<std::uint8_t>(1U << block.value)};
    }

    constexpr bool operator==(const BlockMask&) const = default;
    constexpr BlockMask operator|(BlockMask other) const { return from(bits_ | other.bits_); }
    constexpr BlockMask operator&(BlockMask other) const { return from(bits_ & other.bits_); }
    /// The blocks of this set that are not in `other`.
    constexpr BlockMask operator-(BlockMask other) const { return from(bits_ & ~other.bits_); }
    constexpr BlockMask& operator|=(BlockMask other) { return *this = *this | other; }
    constexpr BlockMask& operator&=(BlockMask other) { return *this = *this & other; }
    constexpr BlockMask& operator-=(BlockMask other) { return *this = *this - other; }

    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    /// `block` must be one of the eight.
    [[nodiscard]] constexpr bool contains(BlockInPage block) const {
        expects(block.value < 8);
        return ((bits_ >> block.value) & 1U) != 0;
    }
    [[nodiscard]] constexpr int count() const { return std::popcount(bits_); }
    [[nodiscard]] constexpr std::uint8_t bits() const { return bits_; }

    /// Its blocks, ascending: `for (const BlockInPage block : mask)`.
    class Iterator {
      public:
        constexpr explicit Iterator(std::uint8_t left) : left_(left) {}
        constexpr BlockInPage operator*() const {
            return BlockInPage{static_cast<std::uint8_t>(std::countr_zero(left_))};
        }
        constexpr Iterator& operator++() {
            left_ = static_cast<std::uint8_t>(left_ & (left_ - 1U));
            return *this;
        }
        constexpr bool operator==(const Iterator&) const = default;

      private:
        std::uint8_t left_;
    };
    [[nodiscard]] constexpr Iterator begin() const { return Iterator{bits_}; }
    [[nodiscard]] static constexpr Iterator end() { return Iterator{0}; }

  private:
    static constexpr BlockMask from(unsigned bits) {
        return BlockMask{static_cast<std::uint8_t>(bits)};
    }
    std::uint8_t bits_ = 0;
};

/// The filesystem's block size: 512, 1024, 2048 or 4096 bytes. Converts between bytes and blocks.
class BlockSize {
  public:
    /// Nothing if `bytes` is none of the four sizes.
    static constexpr std::optional<BlockSize> from_bytes(std::uint64_t bytes) {
        if (bytes < 512 || bytes > kPageSize || !std::has_single_bit(bytes)) {
            return std::nullopt;
        }
        return BlockSize{static_cast<std::uint32_t>(bytes)};
    }

    constexpr bool operator==(const BlockSize&) const = default;
    [[nodiscard]] constexpr std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] constexpr std::uint8_t per_page() const {
        return static_cast<std::uint8_t>(kPageSize / bytes_);
    }
    /// Every block of a page.
    [[nodiscard]] constexpr BlockMask all() const {
        return BlockMask{static_cast<std::uint8_t>((1U << per_page()) - 1U)};
    }
    [[nodiscard]] constexpr BlockIndex block_of(ByteOffset offset) const {
        return BlockIndex{offset.value / bytes_};
    }
    /// `block` must be below per_page(), as in range_of().
    [[nodiscard]] constexpr BlockIndex index_of(PageIndex page, BlockInPage block) const {
        expects(block.value < per_page());
        return BlockIndex{page.value * per_page() + block.value};
    }
    /// The bytes of one block of a page.
    [[nodiscard]] constexpr ByteRange range_of(PageIndex page, BlockInPage block) const {
        expects(block.value < per_page());
        const ByteOffset begin{start_of(page).value + block.value * std::uint64_t{bytes_}};
        return {begin, ByteOffset{begin.value + bytes_}};
    }
    /// The blocks of `page` that `range` touches, even if only by a byte.
    [[nodiscard]] constexpr BlockMask touched(PageIndex page, ByteRange range) const {
        const ByteRange part = intersect(range, model::range_of(page));
        if (part.empty()) {
            return BlockMask{};
        }
        const auto first = (part.begin - start_of(page)).value / bytes_;
        const auto last = ((part.end - start_of(page)).value - 1) / bytes_;
        const unsigned up_to_last = (2U << last) - 1U;
        const unsigned before_first = (1U << first) - 1U;
        return BlockMask{static_cast<std::uint8_t>(up_to_last & ~before_first)};
    }
    /// The blocks of `page` that begin before `size`, a file's size: those that may be written.
    [[nodiscard]] constexpr BlockMask within(PageIndex page, ByteOffset size) const {
        return touched(page, {ByteOffset{0}, size});
    }

  private:
    constexpr explicit BlockSize(std::uint32_t bytes) : bytes_(bytes) {}
    std::uint32_t bytes_;
};

} // namespace partialfs::model

template <typename Tag, typename Number>
struct std::hash<partialfs::model::Strong<Tag, Number>> {
    std::size_t operator()(const partialfs::model::Strong<Tag, Number>& strong) const noexcept {
        return std::hash<Number>{}(strong.value);
    }
};
