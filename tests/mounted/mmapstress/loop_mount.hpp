// A fresh filesystem of the kernel's own, in an image file on a loop device.
#pragma once

#include "tests/temporary_directory.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace partialfs::testing {

struct Filesystem {
    const char* name;
    std::vector<std::string> mkfs; ///< the image's path is added
    std::uint64_t mebibytes;
};

/// Mounted in a mount namespace of this process: when the process ends, however it does, the mount
/// and its loop device are gone.
class LoopMount {
  public:
    LoopMount() = default;
    LoopMount(const LoopMount&) = delete;
    LoopMount& operator=(const LoopMount&) = delete;
    ~LoopMount();

    /// Returns why it cannot be mounted, or nothing.
    std::optional<std::string> mount(const Filesystem& filesystem, const char* options);
    /// Unmounts it and mounts it again, as a boot after a crash would. Returns the error, if any.
    std::optional<std::string> remount();

    [[nodiscard]] std::filesystem::path path() const { return temporary_ / "mount"; }

  private:
    std::optional<std::string> mount_image(const std::string& options);

    TemporaryDirectory temporary_;
    bool mounted_ = false;
};

} // namespace partialfs::testing
