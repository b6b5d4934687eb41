// One of the run's files: its descriptor and its mappings.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace mmapstress {

/// The destructor unmaps and closes the file. Not thread-safe, except bytes() of a range that is
/// mapped, direct() after its first call, and functions that say so.
class TestFile {
  public:
    /// Creates `name`, which must not exist, in the directory `path`.
    static Outcome<TestFile> create(const std::string& path, const std::string& name);

    /// The block device behind `fd`. Only its first bytes are used.
    static TestFile on_device(partialfs::base::Fd fd, const std::string& path);

    TestFile(TestFile&& other) noexcept;
    TestFile& operator=(TestFile&&) = delete;
    TestFile(const TestFile&) = delete;
    TestFile& operator=(const TestFile&) = delete;
    ~TestFile() { unmap_all(); }

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// Whether it is a block device. Its size never changes, and its inode does not belong to the
    /// run.
    [[nodiscard]] bool is_device() const { return is_device_; }
    /// Another descriptor, opened with O_DIRECT when it is first asked for. Fails with EINVAL where
    /// that is not possible.
    Outcome<int> direct();

    /// The size that mappings are made for. Whoever changes the file's size sets it: the file
    /// itself is never asked.
    void set_size(ByteCount size) { size_ = size; }
    [[nodiscard]] ByteCount size() const { return size_; }

    /// Maps `range`, rounded out to pages, or all of the file if `range` is empty. Does nothing if
    /// the mapping `index` exists, whatever its range.
    Outcome<> map(MapIndex index, ByteRange range = {});
    void unmap(MapIndex index);
    void unmap_all();
    /// Unmaps it, and maps all of the file at another address.
    Outcome<> remap(MapIndex index);
    /// Moves the mapping to another address with mremap(). Maps all of the file first if there is
    /// no mapping.
    Outcome<> move(MapIndex index);
    /// The mapping's bytes of `range`. Maps all of the file first if there is no mapping, or if it
    /// does not cover the range.
    Outcome<std::span<std::byte>> bytes(MapIndex index, ByteRange range);
    /// The mapping's bytes of `range` if it covers them; nothing is changed.
    [[nodiscard]] std::optional<std::span<const std::byte>> if_mapped(MapIndex index,
                                                                      ByteRange range) const;
    /// The mapping as it is, in whole pages. Maps all of the file first if there is no mapping.
    /// Empty if the file is empty.
    Outcome<std::span<std::byte>> mapping(MapIndex index);

    /// ask_to_leave() of page_cache.hpp, for all mappings.
    void ask_pages_to_leave();
    /// madvise(MADV_DONTNEED) of all mappings, posix_fadvise(DONTNEED) of the file: clean pages
    /// then leave memory. Any thread, while nobody maps or unmaps.
    Outcome<> drop_pages();

  private:
    TestFile(partialfs::base::Fd fd, std::string path)
        : fd_(std::move(fd)), path_(std::move(path)) {}

    /// Whole pages of the file from `begin` on.
    struct Mapping {
        ByteOffset begin;
        std::span<std::byte> bytes;

        [[nodiscard]] bool covers(ByteRange range) const {
            return range.begin >= begin && range.end.value <= begin.value + bytes.size();
        }
    };

    partialfs::base::Fd fd_;
    partialfs::base::Fd direct_;
    std::string path_;
    bool is_device_ = false;
    ByteCount size_;
    std::array<Mapping, kMapsPerFile> maps_;
};

/// A read-only mapping of the first `size` bytes of a file. The destructor unmaps it.
class ReadOnlyMapping {
  public:
    static Outcome<ReadOnlyMapping> make(const TestFile& file, ByteCount size);
    ReadOnlyMapping(ReadOnlyMapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    ReadOnlyMapping& operator=(ReadOnlyMapping&&) = delete;
    ReadOnlyMapping(const ReadOnlyMapping&) = delete;
    ReadOnlyMapping& operator=(const ReadOnlyMapping&) = delete;
    ~ReadOnlyMapping();
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  private:
    explicit ReadOnlyMapping(std::span<std::byte> bytes) : bytes_(bytes) {}
    std::span<std::byte> bytes_;
};

} // namespace mmapstress
