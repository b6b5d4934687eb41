#include "tools/mmapstress/engine/test_file.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/page_cache.hpp"

#include <sys/mman.h>

#include <utility>

namespace mmapstress {

namespace {

/// Rounded out to whole pages.
ByteRange in_pages(ByteRange range) {
    range.begin.value = range.begin.value / kPageSize * kPageSize;
    range.end.value = (range.end.value + kPageSize - 1) / kPageSize * kPageSize;
    return range;
}

} // namespace

Outcome<TestFile> TestFile::create(const std::string& path, const std::string& name) {
    const std::string whole = path + "/" + name;
    auto fd = partialfs::base::Fd::open(AT_FDCWD, whole.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd) {
        return failed("cannot create " + whole, fd.error());
    }
    return TestFile(std::move(*fd), whole);
}

TestFile TestFile::on_device(partialfs::base::Fd fd, const std::string& path) {
    TestFile file(std::move(fd), path);
    file.is_device_ = true;
    return file;
}

TestFile::TestFile(TestFile&& other) noexcept
    : fd_(std::move(other.fd_)), direct_(std::move(other.direct_)), path_(std::move(other.path_)),
      is_device_(other.is_device_), size_(other.size_), maps_(std::exchange(other.maps_, {})) {}

Outcome<int> TestFile::direct() {
    if (!direct_) {
        auto fd = partialfs::base::Fd::open(AT_FDCWD, path_.c_str(), O_RDWR | O_DIRECT);
        if (!fd) {
            return failed("cannot open " + path_ + " with O_DIRECT", fd.error());
        }
        direct_ = std::move(*fd);
    }
    return direct_.get();
}

Outcome<> TestFile::map(MapIndex index, ByteRange range) {
    Mapping& mapping = maps_[index.value];
    if (!mapping.bytes.empty()) {
        return {};
    }
    const ByteRange pages =
        in_pages(range.empty() ? ByteRange{ByteOffset{0}, ByteOffset{size_.value}} : range);
    if (pages.empty()) {
        return {};
    }
    void* const address = ::mmap(nullptr, pages.size().value, PROT_READ | PROT_WRITE, MAP_SHARED,
                                 fd_.get(), static_cast<off_t>(pages.begin.value));
    if (address == MAP_FAILED) {
        return failed("cannot map " + path_ + " shared and writable");
    }
    mapping = {pages.begin, {static_cast<std::byte*>(address), pages.size().value}};
    return {};
}

void TestFile::unmap(MapIndex index) {
    Mapping& mapping = maps_[index.value];
    if (!mapping.bytes.empty()) {
        ::munmap(mapping.bytes.data(), mapping.bytes.size());
        mapping = {};
    }
}

void TestFile::unmap_all() {
    for (std::uint8_t i = 0; i < kMapsPerFile; ++i) {
        unmap(MapIndex{i});
    }
}

void TestFile::ask_pages_to_leave() {
    for (const Mapping& mapping : maps_) {
        if (!mapping.bytes.empty()) {
            ask_to_leave(mapping.bytes, fd_.get());
        }
    }
}

Outcome<> TestFile::drop_pages() {
    for (const Mapping& mapping : maps_) {
        if (!mapping.bytes.empty() &&
            ::madvise(mapping.bytes.data(), mapping.bytes.size(), MADV_DONTNEED) != 0) {
            return failed("madvise of " + path_);
        }
    }
    const int error = ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
    return error == 0 ? Outcome<>{}
                      : failed("posix_fadvise of " + path_, partialfs::base::Errno{error});
}

Outcome<> TestFile::remap(MapIndex index) {
    const std::span<std::byte> before = maps_[index.value].bytes;
    unmap(index);
    if (before.empty()) {
        return map(index);
    }
    // Keeps the old address occupied while the new one is chosen.
    void* const held =
        ::mmap(before.data(), before.size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Outcome<> mapped = map(index);
    if (held != MAP_FAILED) {
        ::munmap(held, before.size());
    }
    return mapped;
}

Outcome<> TestFile::move(MapIndex index) {
    const auto before = TRY(mapping(index));
    if (before.empty()) {
        return {};
    }
    const std::size_t size = before.size();
    void* const free = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (free == MAP_FAILED) {
        return failed("cannot find a free address");
    }
    void* const moved = ::mremap(before.data(), size, size, MREMAP_MAYMOVE | MREMAP_FIXED, free);
    if (moved == MAP_FAILED) {
        const auto failure = failed("cannot move the mapping of " + path_);
        ::munmap(free, size);
        return failure;
    }
    maps_[index.value].bytes = {static_cast<std::byte*>(moved), size};
    return {};
}

Outcome<std::span<std::byte>> TestFile::bytes(MapIndex index, ByteRange range) {
    const Mapping& mapping = maps_[index.value];
    if (!mapping.covers(range)) {
        unmap(index);
        TRY(map(index));
        if (!mapping.covers(range)) {
            return refused("the range ends past the last page of " + path_);
        }
    }
    return mapping.bytes.subspan((range.begin - mapping.begin).value, range.size().value);
}

Outcome<std::span<std::byte>> TestFile::mapping(MapIndex index) {
    TRY(map(index));
    return maps_[index.value].bytes;
}

std::optional<std::span<const std::byte>> TestFile::if_mapped(MapIndex index,
                                                              ByteRange range) const {
    const Mapping& mapping = maps_[index.value];
    if (!mapping.covers(range)) {
        return std::nullopt;
    }
    return mapping.bytes.subspan((range.begin - mapping.begin).value, range.size().value);
}

Outcome<ReadOnlyMapping> ReadOnlyMapping::make(const TestFile& file, ByteCount size) {
    if (size.value == 0) {
        return ReadOnlyMapping({});
    }
    void* const address = ::mmap(nullptr, size.value, PROT_READ, MAP_SHARED, file.fd(), 0);
    if (address == MAP_FAILED) {
        return failed("cannot map " + file.path() + " for reading");
    }
    return ReadOnlyMapping({static_cast<std::byte*>(address), size.value});
}

ReadOnlyMapping::~ReadOnlyMapping() {
    if (!bytes_.empty()) {
        ::munmap(bytes_.data(), bytes_.size());
    }
}

} // namespace mmapstress
