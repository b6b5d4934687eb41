// Operations through a descriptor.
#include "tests/mounted/differential/executor.hpp"

#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace partialfs::differential {
namespace {

constexpr std::int64_t kPage = 4096;

constexpr std::array kOpenFlags{O_RDWR | O_CREAT,
                                O_RDWR | O_CREAT,
                                O_RDWR | O_CREAT | O_TRUNC,
                                O_RDWR,
                                O_RDONLY,
                                O_WRONLY | O_CREAT | O_APPEND,
                                O_RDWR | O_CREAT | O_APPEND,
                                O_RDWR | O_CREAT | O_EXCL,
                                O_RDWR | O_CREAT | O_DIRECT,
                                O_WRONLY,
                                O_RDONLY | O_DIRECTORY};

/// Page-aligned memory, for O_DIRECT.
using Memory = std::unique_ptr<char, decltype(&std::free)>;
Memory page_aligned(std::int64_t length) {
    return {static_cast<char*>(::aligned_alloc(
                kPage, static_cast<std::size_t>((length + kPage - 1) & ~(kPage - 1)))),
            &std::free};
}

/// The range of an operation on a handle: whole pages with O_DIRECT.
struct Range {
    std::int64_t offset;
    std::int64_t length;
};
Range range_of(const Handle& handle, const Operation& operation) {
    if (!handle.is_direct()) {
        return {operation.offset, std::max<std::int64_t>(operation.length, 1)};
    }
    return {operation.offset & ~(kPage - 1), (operation.length | (kPage - 1)) + 1};
}

void open_handle(World& world, const Operation& operation) {
    const int flags = kOpenFlags.at(operation.value % kOpenFlags.size());
    const auto path = [&](Side side) { return world.path(side, operation.other); };
    if ((flags & O_TRUNC) != 0 && world.is_stormy(identity_of(path(Side::plain), true))) {
        return;
    }
    Handle handle{.fd = {}, .flags = flags};
    const auto answers = answers_of([&](Side side) {
        handle.fd[side] =
            base::Fd(::open(path(side).c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0644));
        return handle.fd[side] ? 0 : -1;
    });
    const std::string what = "open";
    if (world.checks().same(what, answers)) {
        world.look_at(what, handle);
        world.put_handle(operation.target, std::move(handle));
    }
    world.look_at_parent(what, operation.other);
}

void write_to(World& world, const Handle& handle, const Operation& operation) {
    const Identity file = identity_of(handle.fd.plain.get());
    if (handle.is_direct() && world.is_stormy(file)) {
        return; // what the page cache holds afterwards is undefined
    }
    const auto [offset, length] = range_of(handle, operation);
    const auto bytes = pattern(operation.value, offset, length);
    const Memory memory = page_aligned(length);
    std::memcpy(memory.get(), bytes.data(), bytes.size());
    const bool at_offset = operation.kind == Kind::pwrite || handle.is_direct();
    (void)world.checks().same(name_of(operation.kind), answers_of([&](Side side) {
                                  const int fd = handle.fd[side].get();
                                  return at_offset
                                             ? ::pwrite(fd, memory.get(), bytes.size(), offset)
                                             : ::write(fd, memory.get(), bytes.size());
                              }));
}

void read_from(World& world, const Handle& handle, const Operation& operation) {
    const auto [offset, length] = range_of(handle, operation);
    const bool at_offset = operation.kind == Kind::pread || handle.is_direct();
    const std::int64_t position = at_offset ? offset : ::lseek(handle.fd.plain.get(), 0, SEEK_CUR);
    Both<std::vector<char>> bytes;
    const auto answers = answers_of([&](Side side) {
        const int fd = handle.fd[side].get();
        const Memory memory = page_aligned(length);
        const auto size = static_cast<std::size_t>(length);
        const ssize_t count =
            at_offset ? ::pread(fd, memory.get(), size, offset) : ::read(fd, memory.get(), size);
        bytes[side].assign(memory.get(), memory.get() + std::max<ssize_t>(count, 0));
        return count;
    });
    if (world.checks().same(name_of(operation.kind), answers)) {
        const Mask mask = world.mask_of(identity_of(handle.fd.plain.get()));
        world.checks().same_bytes(name_of(operation.kind), position, bytes, mask.begin, mask.end);
    }
}

/// Truncation and fallocate(2).
void reshape(World& world, const Handle& handle, const Operation& operation) {
    const bool is_destructive = operation.kind != Kind::allocate;
    if (is_destructive && world.is_stormy(identity_of(handle.fd.plain.get()))) {
        return; // would remove the mapped page that the storm stores into
    }
    int mode = 0;
    switch (operation.kind) {
    case Kind::punch_hole:
        mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        break;
    case Kind::zero_range:
        mode = FALLOC_FL_ZERO_RANGE | (operation.value % 2 != 0 ? FALLOC_FL_KEEP_SIZE : 0);
        break;
    default:
        mode = operation.value % 2 != 0 ? FALLOC_FL_KEEP_SIZE : 0;
        break;
    }
    (void)world.checks().same(name_of(operation.kind), answers_of([&](Side side) {
                                  const int fd = handle.fd[side].get();
                                  return operation.kind == Kind::ftruncate
                                             ? ::ftruncate(fd, operation.offset)
                                             : ::fallocate(fd, mode, operation.offset,
                                                           operation.length);
                              }));
}

/// Where a copy goes: next to the bytes that a storm stores, if there is one over the file.
off_t target_of_copy(World& world, const Handle& target, const Operation& operation) {
    const Mask mask = world.mask_of(identity_of(target.fd.plain.get()));
    return mask.end > 0 ? mask.end : operation.offset;
}

void copy_range(World& world, const Handle& target, const Operation& operation) {
    const Handle* source = world.handle(operation.other);
    if (source == nullptr || source->is_direct() || target.is_direct() ||
        world.is_stormy(identity_of(source->fd.plain.get()))) {
        return;
    }
    const off_t begin = target_of_copy(world, target, operation);
    Both<std::int64_t> copied;
    const auto answers = answers_of([&](Side side) {
        off_t from = operation.value % 8 * kPage;
        off_t to = begin;
        ssize_t count = 0;
        do {
            count = ::copy_file_range(source->fd[side].get(), &from, target.fd[side].get(), &to,
                                      static_cast<std::size_t>(operation.length - copied[side]), 0);
            copied[side] += std::max<ssize_t>(count, 0);
        } while (count > 0 && copied[side] < operation.length);
        return copied[side] > 0 ? copied[side] : count;
    });
    if (world.checks().same(name_of(operation.kind), answers) &&
        (target.flags & O_ACCMODE) == O_RDWR) {
        read_from(world, target, {.kind = Kind::pread, .offset = begin, .length = copied.plain});
    }
}

/// Only the mount needs the sync: nothing is lost in the plain directory.
void sync(World& world, const Handle& handle, const Operation& operation) {
    const int fd = handle.fd.mounted.get();
    int result = 0;
    switch (operation.kind) {
    case Kind::fsync:
        result = ::fsync(fd);
        break;
    case Kind::fdatasync:
        result = ::fdatasync(fd);
        break;
    default:
        result = ::sync_file_range(fd, operation.offset & ~(kPage - 1), operation.length,
                                   SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                       SYNC_FILE_RANGE_WAIT_AFTER);
        break;
    }
    const Answer answer{result, result < 0 ? errno : 0};
    const bool is_pipe = answer.error == EINVAL || answer.error == ESPIPE;
    world.checks().require(Check::answers, result == 0 || is_pipe,
                           std::string(name_of(operation.kind)) + ": " + text_of(answer));
    const Identity file = identity_of(handle.fd.plain.get());
    if (operation.kind != Kind::sync_range && !world.is_stormy(file)) {
        world.times().synced(file);
    }
}

void set_times(World& world, const Handle& handle, const Operation& operation) {
    const TimesToSet set = times_to_set(operation.value);
    const auto answers =
        answers_of([&](Side side) { return ::futimens(handle.fd[side].get(), set.times.data()); });
    const Identity file = identity_of(handle.fd.plain.get());
    if (world.checks().same("futimens", answers) && set.sets_modified() && !world.is_stormy(file)) {
        world.times().set(file);
    }
}

void evict(World& world, const Handle& handle) {
    (void)world.checks().same("posix_fadvise", answers_of([&](Side side) {
                                  // It returns the errno.
                                  return ::posix_fadvise(handle.fd[side].get(), 0, 0,
                                                         POSIX_FADV_DONTNEED);
                              }));
}

} // namespace

void execute_on_handle(World& world, const Operation& operation) {
    if (operation.kind == Kind::open) {
        return open_handle(world, operation);
    }
    Handle* handle = world.handle(operation.target);
    if (handle == nullptr) {
        return;
    }
    switch (operation.kind) {
    case Kind::close:
        (void)world.checks().same(
            "close", answers_of([&](Side side) { return ::close(handle->fd[side].release()); }));
        return;
    case Kind::pwrite:
    case Kind::write:
        write_to(world, *handle, operation);
        break;
    case Kind::pread:
    case Kind::read:
        read_from(world, *handle, operation);
        break;
    case Kind::copy_range:
        copy_range(world, *handle, operation);
        break;
    case Kind::evict:
        evict(world, *handle);
        break;
    case Kind::find_data:
        compare_data_found(world, "find_data", *handle);
        break;
    case Kind::fsync:
    case Kind::fdatasync:
    case Kind::sync_range:
        sync(world, *handle, operation);
        break;
    case Kind::futimens:
        set_times(world, *handle, operation);
        break;
    case Kind::fchmod:
        (void)world.checks().same("fchmod", answers_of([&](Side side) {
                                      return ::fchmod(handle->fd[side].get(),
                                                      0600 | (operation.value % 64));
                                  }));
        break;
    default:
        reshape(world, *handle, operation);
        break;
    }
    world.look_at(name_of(operation.kind), *handle);
}

} // namespace partialfs::differential
