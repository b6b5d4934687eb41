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

/// Unmaps and closes when it goes. Not thread-safe but for bytes() of a range that is mapped,
/// direct() once it has been called, and what says so.
class TestFile {
  public:
    /// Creates `name`, which must not exist, in the directory `path`.
    static Outcome<TestFile> create(const std::string& path, const std::string& name);

    /// The block device that `fd` is; nothing of it but its first bytes is used.
    static TestFile on_device(partialfs::base::Fd fd, const std::string& path);

    TestFile(TestFile&& other) noexcept;
    TestFile& operator=(TestFile&&) = delete;
    TestFile(const TestFile&) = delete;
    TestFile& operator=(const TestFile&) = delete;
    ~TestFile() { unmap_all(); }

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// A block device has neither a size that changes nor an inode that is the run's.
    [[nodiscard]] bool is_device() const { return is_device_; }
    /// Another descriptor, opened with O_DIRECT when it is first asked for. Fails with EINVAL where
    /// that is not possible.
    Outcome<int> direct();

    /// The size that mappings are made for. Set by whoever changes it: nothing is asked of the
    /// file.
    void set_size(ByteCount size) { size_ = size; }
    [[nodiscard]] ByteCount size() const { return size_; }

    /// Maps `range`, rounded out to pages, or all of the file if it is empty; nothing if there is
    /// such a mapping, of whatever range.
    Outcome<> map(MapIndex index, ByteRange range = {});
    void unmap(MapIndex index);
    void unmap_all();
    /// Unmaps, and maps all of the file at another address.
    Outcome<> remap(MapIndex index);
    /// mremap()s the mapping to another address; made first, of all of the file, if it is not
    /// there.
    Outcome<> move(MapIndex index);
    /// The mapping's bytes of `range`. A mapping that is not there or does not cover the range is
    /// made first, of all of the file.
    Outcome<std::span<std::byte>> bytes(MapIndex index, ByteRange range);
    /// The mapping's bytes of `range` if it covers them; nothing is changed.
    [[nodiscard]] std::optional<std::span<const std::byte>> if_mapped(MapIndex index,
                                                                      ByteRange range) const;
    /// The mapping as it is, whole pages; made first, of all of the file, if it is not there. Empty
    /// if the file is empty.
    Outcome<std::span<std::byte>> mapping(MapIndex index);

    /// ask_to_leave() of page_cache.hpp, for all mappings.
    void ask_pages_to_leave();
    /// madvise(MADV_DONTNEED) of both mappings, posix_fadvise(DONTNEED) of the file: what is clean
    /// then leaves. Any thread, while nobody maps or unmaps.
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

/// A mapping for reading only, of the first `size` bytes of a file; unmapped when it goes.
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
