#include "fusefs/fuse/bdi_settings.hpp"

#include "fusefs/base/fd.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace partialfs::fuse {
namespace {

void set(const std::filesystem::path& file, unsigned value) {
    const std::string text = std::to_string(value) + '\n';
    const auto fd = base::Fd::open(AT_FDCWD, file.c_str(), O_WRONLY);
    const bool done =
        fd && ::write(fd->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!done) {
        spdlog::debug("{} stays as it is: {}", file.string(),
                      std::strerror(fd ? errno : fd.error().value));
    }
}

} // namespace

void raise_bdi_limits(const std::string& mountpoint, const std::filesystem::path& class_bdi) {
    struct statx status{};
    if (::statx(AT_FDCWD, mountpoint.c_str(), AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) {
        spdlog::debug("{}: statx: {}", mountpoint, std::strerror(errno));
        return;
    }
    const std::filesystem::path bdi = class_bdi / (std::to_string(status.stx_dev_major) + ':' +
                                                   std::to_string(status.stx_dev_minor));
    set(bdi / "max_ratio", kMaxRatioPercent);
    set(bdi / "read_ahead_kb", kReadAheadKiB);
}

void become_io_flusher() {
    if (::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) {
        spdlog::debug("prctl(PR_SET_IO_FLUSHER): {}", std::strerror(errno));
    }
}

} // namespace partialfs::fuse
