#include "fusefs/fuse/control_files.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/faults/fault_book.hpp"
#include "fusefs/file/ledger_reader.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/control_nodes.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/passage.hpp"
#include "fusefs/fuse/power_files.hpp"
#include "fusefs/fuse/status.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace partialfs::fuse {
namespace {

using base::Fd;
using base::Result;

/// Writes of this size may be parts of a larger text, which cat(1) and the kernel cut anywhere.
constexpr std::size_t kPartOfSomething = std::size_t{64} << 10U;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    return text;
}

/// The path in a write to `evict`: all of it except one newline at its end, which `echo` adds. A
/// name may end in blanks; one that ends in a newline is written with a second one.
std::string path_in(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    return std::string(text);
}

/// The object that a path relative to the mount names; it must lie inside.
Result<Fd> open_in_source(Mount& mount, std::string path) {
    while (!path.empty() && path.front() == '/') {
        path.erase(0, 1);
    }
    const std::shared_ptr<Inode> root = mount.inodes.root();
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, root->fd().get(), path.c_str(), &how, sizeof how);
    if (fd < 0) {
        return base::last_error();
    }
    return Fd{static_cast<int>(fd)};
}

Result<void> evict(Mount& mount, const std::string& path) {
    if (path.empty()) {
        return base::failed(EINVAL);
    }
    auto fd = TRY(open_in_source(mount, path));
    const auto object = TRY(backing::object_of(std::move(fd)));
    if (!S_ISREG(object.status.st_mode)) {
        return base::failed(S_ISDIR(object.status.st_mode) ? EISDIR : EINVAL);
    }
    const auto inode = mount.inodes.find(BackingKey{object.status.st_dev, object.status.st_ino});
    if (!inode || mount.inodes.find(inode->id()) == nullptr) {
        return {}; // the kernel does not know the file, so no page of it is cached
    }
    const Result<void> done = mount.page_cache.evict(inode->id());
    if (done) {
        inode->data()->pages_evicted();
    }
    return done;
}

std::string contents_of(const Mount& mount, fuse_ino_t number) {
    switch (number) {
    case kPowerFile:
        return power_json(mount);
    case kStatusFile:
        return status_json(mount) + '\n';
    case kTraceFile:
        return mount.context.trace.latest();
    case kContractFile:
        return std::string(name_of(mount.context.settings.contract.load())) + '\n';
    case kPolicyFile:
        return std::string(name_of(mount.context.settings.policy.load())) + '\n';
    case kAfterWriteErrorFile:
        return std::string(name_of(mount.context.settings.after_write_error.load())) + '\n';
    case kFaultsFile:
        return mount.faults.text();
    default:
        return {};
    }
}

class FixedText final : public ControlReader {
  public:
    explicit FixedText(std::string text) : text_(std::move(text)) {}
    std::string read(std::uint64_t offset, std::size_t size) override {
        return text_.substr(std::min<std::uint64_t>(offset, text_.size()), size);
    }

  private:
    const std::string text_;
};

class LedgerText final : public ControlReader {
  public:
    explicit LedgerText(const file::LedgerBook& ledger) : reader_(ledger) {}
    std::string read(std::uint64_t offset, std::size_t size) override {
        return reader_.read(offset, size);
    }

  private:
    file::LedgerReader reader_;
};

} // namespace

std::shared_ptr<ControlReader> open_control_file(const Mount& mount, fuse_ino_t number) {
    if (number == kLedgerFile) {
        return std::make_shared<LedgerText>(mount.context.ledger);
    }
    if (number == kFiredFile) {
        return open_fired();
    }
    return std::make_shared<FixedText>(contents_of(mount, number));
}

std::size_t size_of_contents(const Mount& mount, fuse_ino_t number) {
    const bool long_ones = number == kLedgerFile || number == kTraceFile || number == kPowerFile;
    return long_ones ? 0 : contents_of(mount, number).size();
}

Answer write_control_file(fuse_req_t req, fuse_ino_t number, std::string_view data) {
    Mount& mount = mount_of(req);
    const std::string_view text = trimmed(data);
    const auto later = [req, size = data.size()](int error) {
        answer(req, error != 0 ? Answer{base::failed(error)} : Answer{Written{size}});
    };
    switch (number) {
    case kContractFile: {
        const auto contract = base::from_name<model::Contract>(text);
        if (!contract) {
            return base::failed(EINVAL);
        }
        if (!model::go_together(*contract, mount.context.settings.policy)) {
            mount.context.settings.policy =
                model::FlushPolicy::writeback; // first, so that the two always go together
        }
        mount.context.settings.contract = *contract;
        return Written{data.size()};
    }
    case kPolicyFile: {
        const auto policy = base::from_name<model::FlushPolicy>(text);
        if (!policy || !model::go_together(mount.context.settings.contract, *policy)) {
            return base::failed(EINVAL);
        }
        mount.context.settings.policy = *policy;
        return Written{data.size()};
    }
    case kAfterWriteErrorFile: {
        const auto after = base::from_name<model::AfterWriteError>(text);
        if (!after) {
            return base::failed(EINVAL);
        }
        mount.context.settings.after_write_error = *after;
        return Written{data.size()};
    }
    case kFaultsFile:
        if (data.size() >= kPartOfSomething && !data.ends_with('\n')) {
            mount.faults.refuse("the write ends inside a line: write whole lines at once, and less "
                                "than 64 KiB");
            return base::failed(EINVAL);
        }
        if (const auto changed = mount.faults.change(data); !changed) {
            spdlog::error("faults: {}; nothing is changed", changed.error().message());
            return base::failed(EINVAL);
        }
        return Written{data.size()};
    case kPowerFile:
        return write_power(req, text, data.size());
    case kCommitFile:
        if (Passage(mount).refused()) {
            return base::failed(EIO);
        }
        mount.journal.commit([later, boot = boot_of(mount)](int error) {
            later(boot != nullptr && boot->ended() ? EIO : error);
        });
        return Later{};
    case kEvictFile:
        if (Passage(mount).refused()) {
            return base::failed(EIO);
        }
        mount.control.submit([&mount, later, path = path_in(data)](bool serving) {
            if (!serving) {
                later(ENODEV);
                return;
            }
            const Result<void> evicted =
                base::without_exceptions([&] { return evict(mount, path); });
            later(evicted ? 0 : evicted.error().value);
        });
        return Later{};
    default:
        return base::failed(EPERM);
    }
}

} // namespace partialfs::fuse
