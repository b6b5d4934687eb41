// Operations through a shared mapping.
#include "tests/mounted/differential/executor.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace partialfs::differential {
namespace {

constexpr std::int64_t kPage = 4096;
/// Less than a page, so that other operations use the rest of the page.
constexpr std::int64_t kStormBytes = 100;

void map(World& world, const Operation& operation) {
    const Handle* handle = world.handle(operation.other);
    if (handle == nullptr || world.mapping(operation.target)) {
        return;
    }
    const bool writable = operation.value % 4 != 1;
    const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    Both<char*> address;
    const auto answers = answers_of([&](Side side) {
        void* got =
            ::mmap(nullptr, kMappedBytes, protection, MAP_SHARED, handle->fd[side].get(), 0);
        address[side] = static_cast<char*>(got);
        return got == MAP_FAILED ? -1 : 0;
    });
    if (world.checks().same("mmap", answers)) {
        world.mapping(operation.target)
            .emplace(address, base::Fd(::fcntl(handle->fd.plain.get(), F_DUPFD_CLOEXEC, 0)),
                     writable);
    }
}

/// The part of an operation's range that lies within the file. A store past the end, within the
/// last page, becomes visible on FUSE when the file grows, and on ext4 does not: left out.
struct Range {
    std::int64_t offset = 0;
    std::int64_t length = 0;
};
Range range_within(const Mapping& mapping, const Operation& operation) {
    struct stat status{};
    if (::fstat(mapping.plain().get(), &status) != 0 || status.st_size == 0) {
        return {};
    }
    const std::int64_t size =
        std::min<std::int64_t>(status.st_size, static_cast<std::int64_t>(kMappedBytes));
    const std::int64_t offset = operation.offset % size;
    return {offset, std::min(operation.length, size - offset)};
}

void store(World& world, const Mapping& mapping, const Operation& operation) {
    const auto [offset, length] = range_within(mapping, operation);
    if (!mapping.writable() || length == 0) {
        return;
    }
    const auto bytes = pattern(operation.value, offset, length);
    world.times().stored(identity_of(mapping.plain().get()));
    (void)world.checks().same(
        "store", answers_of([&](Side side) {
            char* to = mapping.address()[side] + offset;
            return without_bus_error([&] { std::memcpy(to, bytes.data(), bytes.size()); }) ? 0 : -1;
        }));
}

void store_from_child(World& world, const Mapping& mapping, const Operation& operation) {
    const auto [offset, length] = range_within(mapping, operation);
    if (!mapping.writable() || length == 0) {
        return;
    }
    world.times().stored(identity_of(mapping.plain().get()));
    const auto bytes = pattern(operation.value, offset, length);
    const pid_t child = ::fork();
    if (child == 0) {
        for (const Side side : kSides) {
            std::memcpy(mapping.address()[side] + offset, bytes.data(), bytes.size());
        }
        ::_exit(0);
    }
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    world.checks().require(Check::bytes, status == 0, "a store of a child process raised a signal");
}

void load(World& world, const Mapping& mapping, const Operation& operation) {
    const auto [offset, length] = range_within(mapping, operation);
    if (length == 0) {
        return;
    }
    Both<std::vector<char>> bytes;
    const auto answers = answers_of([&](Side side) {
        bytes[side].resize(static_cast<std::size_t>(length));
        const char* from = mapping.address()[side] + offset;
        char* to = bytes[side].data();
        return without_bus_error([&] { std::memcpy(to, from, static_cast<std::size_t>(length)); })
                   ? 0
                   : -1;
    });
    if (world.checks().same("load", answers)) {
        const Mask mask = world.mask_of(identity_of(mapping.plain().get()));
        world.checks().same_bytes("load", offset, bytes, mask.begin, mask.end);
    }
}

/// Only the mount's msync matters: nothing is lost in the plain directory.
void sync(World& world, const Mapping& mapping, const Operation& operation) {
    const int flags = operation.value % 2 != 0 ? MS_ASYNC : MS_SYNC;
    (void)world.checks().same("msync", answers_of([&](Side side) {
                                  return ::msync(mapping.address()[side], kMappedBytes,
                                                 side == Side::plain ? MS_ASYNC : flags);
                              }));
    const Identity file = identity_of(mapping.plain().get());
    if (flags == MS_SYNC && !world.is_stormy(file)) {
        world.times().synced(file);
    }
}

void start_storm(World& world, const Mapping& mapping, const Operation& operation) {
    const auto [offset, length] = range_within(mapping, operation);
    if (!mapping.writable() || length == 0 || world.storm()) {
        return;
    }
    const std::int64_t begin = offset & ~(kPage - 1);
    const std::int64_t bytes = std::min(kStormBytes, offset + length - begin);
    const Identity file = identity_of(mapping.plain().get());
    world.times().stored(file);
    world.storm_slot = operation.target % kMappings;
    const auto address = for_both([&](Side side) { return mapping.address()[side] + begin; });
    world.storm().emplace(file, begin, static_cast<std::size_t>(bytes), address);
}

} // namespace

void execute_on_mapping(World& world, const Operation& operation) {
    if (operation.kind == Kind::map) {
        return map(world, operation);
    }
    if (operation.kind == Kind::calm) {
        return world.calm();
    }
    std::optional<Mapping>& mapping = world.mapping(operation.target);
    if (!mapping) {
        return;
    }
    switch (operation.kind) {
    case Kind::unmap:
        if (world.storm() && world.storm_slot == operation.target % kMappings) {
            world.calm();
        }
        mapping.reset();
        break;
    case Kind::store:
        store(world, *mapping, operation);
        break;
    case Kind::child_store:
        store_from_child(world, *mapping, operation);
        break;
    case Kind::load:
        load(world, *mapping, operation);
        break;
    case Kind::msync:
        sync(world, *mapping, operation);
        break;
    case Kind::storm:
        start_storm(world, *mapping, operation);
        break;
    default:
        (void)world.checks().same("madvise", answers_of([&](Side side) {
                                      return ::madvise(mapping->address()[side], kMappedBytes,
                                                       MADV_DONTNEED);
                                  }));
        break;
    }
}

} // namespace partialfs::differential
