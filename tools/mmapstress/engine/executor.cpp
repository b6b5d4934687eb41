#include "tools/mmapstress/engine/executor.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/engine/mapping_calls.hpp"
#include "tools/mmapstress/engine/range_calls.hpp"
#include "tools/mmapstress/engine/special_writes.hpp"
#include "tools/mmapstress/system/busy.hpp"
#include "tools/mmapstress/system/fault_guard.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/system/page_cache.hpp"
#include "tools/schedule/pattern.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace mmapstress {

namespace {

/// The exit status of a fork-store's child whose store met a SIGBUS.
constexpr int kChildFaulted = 3;
/// Content is written in pieces of this size at most.
constexpr std::uint64_t kLargestWrite = 16U << 20U;

std::unexpected<Failure> faulted(const std::string& path, const Op& op) {
    return refused("SIGBUS: " + path + " at " + std::to_string(op.offset.value) + "+" +
                   std::to_string(op.length.value) +
                   " (the file is too short there, or its disk is "
                   "full or failing)");
}

} // namespace

Outcome<> Executor::execute(const Op& op) {
    const Busy busy(op);
    const OpTraits& traits = traits_of(op.kind);
    if (traits.has_content) {
        return drop_ == op.id ? prepare(op) : put(op);
    }
    if (traits.has_source) {
        return copy_range(files_[op.source.value], files_[op.file.value], op);
    }
    if (is_call_on_range(op.kind)) {
        return call_on_range(files_[op.file.value], op);
    }
    if (is_call_on_mapping(op.kind)) {
        return call_on_mapping(op.kind, TRY(needed_bytes(op)), files_[op.file.value].path());
    }
    switch (op.kind) {
    case OpKind::fsync:
        return fsync(op.file, false);
    case OpKind::fdatasync:
        return ::fdatasync(files_[op.file.value].fd()) == 0
                   ? Outcome<>{}
                   : failed("fdatasync of " + files_[op.file.value].path());
    case OpKind::fchmod:
        return touch_inode(op.file);
    case OpKind::commit:
        return commit();
    case OpKind::sync:
        return sync_filesystem();
    case OpKind::map:
        return files_[op.file.value].map(op.map, op.range());
    case OpKind::unmap:
        files_[op.file.value].unmap(op.map);
        return {};
    case OpKind::remap:
        return files_[op.file.value].remap(op.map);
    case OpKind::mremap:
        return files_[op.file.value].move(op.map);
    case OpKind::evict:
        TRY(fsync(op.file, true));
        return drop_cache(op.file);
    case OpKind::drop_pages:
        TRY(fsync(op.file, false));
        return files_[op.file.value].drop_pages();
    case OpKind::pause:
        pause(op);
        return {};
    case OpKind::read_fault:
        return read_fault(op);
    default:
        break;
    }
    return refused("not an operation for the executor: " + std::string(traits.name));
}

void Executor::pause(const Op& op) {
    constexpr std::uint64_t kMillion = 1000000;
    const timespec left{static_cast<time_t>(op.pause / kMillion),
                        static_cast<long>(op.pause % kMillion * 1000)};
    ::nanosleep(&left, nullptr); // a signal that asks the run to stop ends it early
}

void Executor::follow(const Op& op) {
    if (op.kind == OpKind::evict) {
        files_[op.file.value].unmap_all();
    } else if (op.kind == OpKind::unmap || op.kind == OpKind::remap) {
        files_[op.file.value].unmap(op.map);
    }
}

Outcome<> Executor::put(const Op& op) {
    if (traits_of(op.kind).by_kernel) {
        return kernel_store(op);
    }
    switch (op.kind) {
    case OpKind::store:
    case OpKind::past_eof_store:
        return store(op);
    case OpKind::fork_store:
        return fork_store(op);
    case OpKind::direct_write:
        return write_direct(files_[op.file.value], content_of(op), op.offset);
    case OpKind::dontcache_write:
        return write_dontcache(files_[op.file.value], content_of(op), op.offset);
    default:
        return write_content(op.file, op.range(), op.id, op.content);
    }
}

std::span<const std::byte> Executor::content_of(const Op& op) {
    buffer_.resize(op.length.value);
    fill_content(buffer_, op.content, seed_, op.file, op.id, op.offset, op.offset);
    return buffer_;
}

Outcome<> Executor::kernel_store(const Op& op) {
    return kernel_stores_.store(op.kind, TRY(needed_bytes(op)), content_of(op));
}

Outcome<> Executor::store(const Op& op) {
    TestFile& file = files_[op.file.value];
    const auto bytes = TRY(needed_bytes(op));
    const bool stored = guarded(
        [&] { fill_content(bytes, op.content, seed_, op.file, op.id, op.offset, op.offset); });
    if (!stored) {
        return faulted(file.path(), op);
    }
    if (reclaim_every_.value != 0) {
        reclaim(op.range());
    }
    return {};
}

void Executor::reclaim(ByteRange stored) {
    const std::uint64_t pages =
        (stored.end.value + kPageSize - 1) / kPageSize - stored.begin.value / kPageSize;
    dirtied_.value += pages * kPageSize;
    if (dirtied_ >= reclaim_every_) {
        dirtied_.value = 0;
        for (TestFile& each : files_) {
            each.ask_pages_to_leave();
        }
    }
}

Outcome<> Executor::fork_store(const Op& op) {
    TestFile& file = files_[op.file.value];
    const auto bytes = TRY(needed_bytes(op));
    const pid_t child = ::fork();
    if (child < 0) {
        return failed("cannot fork");
    }
    if (child == 0) {
        // Only memory is touched here: the parent may have other threads.
        const bool stored = guarded(
            [&] { fill_content(bytes, op.content, seed_, op.file, op.id, op.offset, op.offset); });
        ::_exit(stored ? 0 : kChildFaulted);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return failed("cannot wait for the child that stores");
        }
    }
    if (WIFSIGNALED(status)) {
        return refused("the child that was to store into " + file.path() +
                       " was killed by signal " + std::to_string(WTERMSIG(status)));
    }
    return WEXITSTATUS(status) == 0 ? Outcome<>{} : faulted(file.path(), op);
}

Outcome<> Executor::write_content(FileIndex file, ByteRange range, OpId id,
                                  const Content& content) {
    const ByteOffset begin = range.begin;
    while (!range.empty()) {
        const std::uint64_t length = std::min(kLargestWrite, range.size().value);
        buffer_.resize(length);
        fill_content(buffer_, content, seed_, file, id, begin, range.begin);
        const TestFile& target = files_[file.value];
        TRY(write_bytes(target.fd(), buffer_, range.begin, target.path()));
        range.begin.value += length;
    }
    return {};
}

Outcome<std::span<std::byte>> Executor::needed_bytes(const Op& op) {
    TestFile& file = files_[op.file.value];
    if (op.kind == OpKind::read_fault) {
        return file.bytes(op.map, {op.offset, op.offset + ByteCount{1}});
    }
    if (op.length.value == 0) {
        return file.mapping(op.map);
    }
    // System calls on mappings take whole pages.
    ByteRange range = op.range();
    if (!traits_of(op.kind).has_content) {
        range.begin.value = range.begin.value / kPageSize * kPageSize;
    }
    return file.bytes(op.map, range);
}

Outcome<> Executor::prepare(const Op& op) {
    if (op.kind == OpKind::direct_write) {
        TRY(files_[op.file.value].direct());
    }
    if (!traits_of(op.kind).has_map) {
        return {};
    }
    TRY(needed_bytes(op));
    return {};
}

Outcome<> Executor::sync_filesystem() {
    if (::syscall(SYS_syncfs, files_.front().fd()) == 0) {
        return {};
    }
    if (errno != ENOSYS) {
        return failed("syncfs of " + directory_);
    }
    ::sync();
    return {};
}

Outcome<> Executor::commit() {
    return commits_.during([this]() -> Outcome<> {
        switch (commit_by_) {
        case CommitBy::sync:
            ::sync();
            return {};
        case CommitBy::syncfs:
            return sync_filesystem();
        case CommitBy::sibling:
            break;
        }
        return sync_sibling();
    });
}

Outcome<> Executor::sync_sibling() {
    static std::atomic<std::uint64_t> number{0};
    const std::string name = directory_ + "/sibling." + std::to_string(::getpid()) + "." +
                             std::to_string(number.fetch_add(1, std::memory_order_relaxed));
    const auto sibling =
        partialfs::base::Fd::open(AT_FDCWD, name.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (!sibling) {
        return failed("cannot create " + name, sibling.error());
    }
    constexpr std::array<std::byte, 1> kByte{std::byte{'c'}};
    Outcome<> synced = write_bytes(sibling->get(), kByte, ByteOffset{0}, name);
    if (synced && ::fsync(sibling->get()) != 0) {
        synced = failed("fsync of " + name);
    }
    if (::unlink(name.c_str()) != 0 && synced) {
        synced = failed("cannot remove " + name);
    }
    return synced;
}

Outcome<> Executor::read_fault(const Op& op) {
    TestFile& file = files_[op.file.value];
    const auto bytes = TRY(needed_bytes(op));
    const bool loaded = guarded([&] {
        [[maybe_unused]] const std::byte byte = *const_cast<volatile std::byte*>(bytes.data());
    });
    return loaded ? Outcome<>{} : faulted(file.path(), op);
}

Outcome<> Executor::touch_inode(FileIndex file) {
    const TestFile& target = files_[file.value];
    if (target.is_device()) {
        return {}; // nothing to commit; its permissions belong to the system
    }
    return ::fchmod(target.fd(), 0600) == 0 ? Outcome<>{} : failed("fchmod of " + target.path());
}

Outcome<> Executor::fsync(FileIndex file, bool certain_commit) {
    const Busy busy(Activity::syncing, file);
    const TestFile& target = files_[file.value];
    if (certain_commit) {
        TRY(touch_inode(file));
    }
    return ::fsync(target.fd()) == 0 ? Outcome<>{} : failed("fsync of " + target.path());
}

Outcome<> Executor::start(FileIndex file, const FileSpec& spec,
                          const std::vector<Op>& start_writes) {
    const Busy busy(Activity::preparing, file);
    const bool written = spec.start == Start::written || spec.start == Start::written_fsync;
    if (written) {
        const ByteRange all{ByteOffset{0}, ByteOffset{spec.size.value}};
        TRY(write_content(file, all, OpId{0}, spec.content));
    } else if (files_[file.value].is_device()) {
        const Content zeros{ContentKind::fill, std::byte{0}, {}};
        const ByteRange all{ByteOffset{0}, ByteOffset{spec.size.value}};
        TRY(write_content(file, all, OpId{0}, zeros));
    } else if (::ftruncate(files_[file.value].fd(), static_cast<off_t>(spec.size.value)) != 0) {
        return failed("cannot make " + files_[file.value].path() + " " +
                      std::to_string(spec.size.value) + " bytes long");
    }
    for (const Op& op : start_writes) {
        if (op.file == file) {
            TRY(write_content(file, op.range(), op.id, op.content));
        }
    }
    if (spec.start == Start::written_fsync || spec.start == Start::partial_fsync) {
        return fsync(file, true);
    }
    return {};
}

Outcome<> Executor::end(FileIndex file, End how) {
    if (how == End::fsync_munmap_fsync) {
        TRY(fsync(file, true));
        files_[file.value].unmap_all();
        return fsync(file, false);
    }
    files_[file.value].unmap_all();
    return fsync(file, true);
}

Outcome<> Executor::drop_cache(FileIndex file) {
    const Busy busy(Activity::evicting, file);
    TestFile& target = files_[file.value];
    target.unmap_all();
    if (auto dropped = drop_pages(target.fd(), target.size()); !dropped) {
        dropped.error().what = target.path() + ": " + dropped.error().what;
        return dropped;
    }
    return {};
}

} // namespace mmapstress
