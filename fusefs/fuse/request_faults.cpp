#include "fusefs/fuse/request_faults.hpp"

#include "fusefs/base/try.hpp"
#include "fusefs/faults/faulty_io.hpp"
#include "fusefs/fuse/control_requests.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/change.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <fstream>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace partialfs::fuse {
namespace {

using faults::Action;
using faults::Fault;
using file::FileData;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

/// System calls that read files. In other system calls, and outside of them, a thread needs a page
/// of a file because of a page fault.
constexpr std::array kReadingCalls{
    SYS_read,           SYS_pread64, SYS_readv,           SYS_preadv,    SYS_preadv2,
    SYS_sendfile,       SYS_splice,  SYS_copy_file_range, SYS_readahead, SYS_fadvise64,
    SYS_io_uring_enter, SYS_execve,  SYS_execveat};

/// Whether a thread that waits for a page does so in a page fault, by /proc/THREAD/syscall. One
/// that keeps running (the request was a readahead) counts as a reader.
bool is_in_page_fault(pid_t thread) {
    const std::string path = "/proc/" + std::to_string(thread) + "/syscall";
    // The thread has sent the request, but may not yet be waiting.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
    do {
        std::string word;
        std::ifstream(path) >> word;
        long number = 0;
        const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
        if (problem == std::errc{}) {
            return std::ranges::find(kReadingCalls, number) == kReadingCalls.end();
        }
        if (word != "running") {
            return false; // the daemon may not see it
        }
        ::sched_yield();
    } while (std::chrono::steady_clock::now() < patience);
    return false;
}

ByteRange range_of_request(const StruckRequest& request) {
    const ByteOffset begin = model::offset_of(request.offset);
    return {begin, begin + ByteCount{request.size}};
}

std::vector<std::string> paths_of(Mount& mount, const StruckRequest& request) {
    std::vector<std::string> paths;
    for (const auto& [number, name] : request.places) {
        const auto inode = mount.inodes.find(model::InodeId{number});
        if (!inode) {
            continue;
        }
        std::string path = faults::path_in_mount(inode->fd().get(), mount.settings.source);
        if (name != nullptr) {
            path += path.empty() ? "" : "/";
            path += name;
        }
        paths.push_back(std::move(path));
    }
    return paths;
}

/// Requests to which no rule applies: those on the way to the control directory, so that rules can
/// always be removed, and those of the daemon's own look into its mount.
bool is_exempt(const Mount& mount, const StruckRequest& request, pid_t caller) {
    const auto& [number, name] = request.places[0];
    return (name != nullptr && is_control_name(number, name)) ||
           (request.operation == Operation::getattr && number == FUSE_ROOT_ID) ||
           mount.page_cache.is_probing(caller);
}

std::span<const std::byte> bytes_of(const StruckRequest& request) {
    return {reinterpret_cast<const std::byte*>(request.data), request.size};
}

/// Enters what a fault leaves out of a request in the ledger: everything of a skipped request; of a
/// writepage that fails, everything after the first `done` bytes, as the kernel calls its pages
/// clean.
void note_left_out(Mount& mount, const StruckRequest& request, int error, std::size_t done = 0) {
    const auto inode = mount.inodes.find(model::InodeId{request.places[0].inode});
    if (!inode || inode->data() == nullptr) {
        return;
    }
    FileData& data = *inode->data();
    const ByteRange range = range_of_request(request);
    switch (request.operation) {
    case Operation::write:
        data.leave_out_write(range.begin, bytes_of(request), (request.info->flags & O_DIRECT) == 0);
        break;
    case Operation::writepage:
        data.leave_out_pages(range.begin + ByteCount{done}, bytes_of(request).subspan(done), error);
        break;
    case Operation::setattr:
        if (request.new_size) {
            data.leave_out_size(ByteOffset{static_cast<std::uint64_t>(*request.new_size)});
        }
        break;
    case Operation::request_fallocate:
        data.leave_out_allocation(request.mode, range);
        break;
    default:
        return; // concerns no data
    }
    mount.journal.join(shared_data(inode)); // the journal keeps files with losses
}

Answer skipped(Mount& mount, const StruckRequest& request) {
    note_left_out(mount, request, 0);
    switch (request.operation) {
    case Operation::write:
    case Operation::writepage:
        return Written{request.size};
    case Operation::setattr: {
        const auto inode = mount.inodes.find(model::InodeId{request.places[0].inode});
        if (!inode) {
            return base::failed(ESTALE);
        }
        const auto attributes = TRY(attributes_of(mount, *inode));
        return Attributes{attributes.status, 0};
    }
    default:
        return Done{};
    }
}

/// Carries out the first bytes of a write or writepage, and answers with an errno.
Answer torn(Mount& mount, const StruckRequest& request, const Fault& fault) {
    const auto inode = mount.inodes.find(model::InodeId{request.places[0].inode});
    if (!inode || inode->data() == nullptr) {
        return base::failed(ESTALE);
    }
    const ByteOffset begin = range_of_request(request).begin;
    const std::span<const std::byte> bytes =
        bytes_of(request).first(std::min<std::size_t>(request.size, fault.amount));
    const journal::Change change(mount.journal, shared_data(inode));
    base::Result<void> done;
    if (request.operation == Operation::writepage) {
        done = inode->data()->writepage(begin, bytes);
        note_left_out(mount, request, fault.error.value, done ? bytes.size() : 0);
    } else {
        const bool direct = (request.info->flags & O_DIRECT) != 0;
        const auto put = inode->data()->write_through(
            begin, bytes, direct ? FileData::Via::direct : FileData::Via::page_cache);
        done = put ? base::Result<void>{} : std::unexpected(put.error());
    }
    return std::unexpected(done ? fault.error : done.error());
}

/// Answers a read with bits flipped.
Answer flipped(fuse_req_t req, const StruckRequest& request, const Fault& fault) {
    const auto inode = mount_of(req).inodes.find(model::InodeId{request.places[0].inode});
    if (!inode || inode->data() == nullptr) {
        return base::failed(ESTALE);
    }
    const std::span<std::byte> memory = Session::scratch(request.size);
    const bool cached = (request.info->flags & O_DIRECT) == 0;
    const auto got = TRY(inode->data()->read(range_of_request(request).begin, memory, cached));
    faults::flip_bits(memory.first(got), fault.amount, fault.seed);
    return Bytes{std::string(reinterpret_cast<const char*>(memory.data()), got)};
}

} // namespace

Verdict strike(fuse_req_t req, StruckRequest request) {
    Mount& mount = mount_of(req);
    const fuse_ctx* const caller = fuse_req_ctx(req);
    if (is_exempt(mount, request, caller->pid)) {
        return {};
    }
    if (request.operation == Operation::write && request.info->writepage != 0) {
        request.operation = Operation::writepage;
    } else if (request.operation == Operation::read && is_in_page_fault(caller->pid)) {
        request.operation = Operation::mapped_read;
    }
    faults::Occasion occasion{.operation = request.operation,
                              .paths = [&] { return paths_of(mount, request); },
                              .inode = model::InodeId{request.places[0].inode}};
    if (has_ability(request.operation, faults::kHasRange)) {
        occasion.range = range_of_request(request);
    }
    if (has_ability(request.operation, faults::kHasCaller)) {
        occasion.caller = {caller->uid, caller->pid};
    }
    std::optional<Fault> fault;
    try {
        fault = mount.faults.strike(occasion);
    } catch (const std::bad_alloc&) {
        if (request.operation == Operation::writepage) {
            note_left_out(mount, request, ENOMEM);
        }
        throw;
    }
    if (!fault) {
        return {};
    }
    switch (fault->action) {
    case Action::error:
        if (request.operation == Operation::writepage) {
            note_left_out(mount, request, fault->error.value);
        }
        return {.answer = std::unexpected(fault->error)};
    case Action::skip:
        return {.answer = skipped(mount, request)};
    case Action::torn:
        return {.answer = torn(mount, request, *fault)};
    case Action::flip:
        return {.answer = flipped(req, request, *fault)};
    case Action::short_count:
        return {.at_most = std::min<std::size_t>(request.size, fault->amount)};
    default:
        return {};
    }
}

} // namespace partialfs::fuse
