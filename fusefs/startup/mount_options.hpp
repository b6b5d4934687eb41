// The options that mount(8) and /etc/fstab know, sorted into those that libfuse gets and those that
// say nothing to a filesystem.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::startup {

/// The parts of an -o list. A comma in a value is written `\,`, a backslash `\\`, as libfuse does.
std::vector<std::string> split_mount_options(const std::string& list);

class MountOptions {
  public:
    enum class Kind : std::uint8_t {
        passed_on, ///< libfuse or the kernel gets it
        ignored,   ///< it speaks to mount(8), or has no meaning for a FUSE filesystem
        malformed, ///< known, but with a value that is missing, wrong or too many
        unknown,
    };

    /// `remount`: of a mount that is there. The options that the kernel shows of it are accepted
    /// then, as mount(8) hands them back.
    explicit MountOptions(bool remount = false) : remount_(remount) {}

    /// Takes one option; the last of two that contradict each other wins.
    Kind add(const std::string& option);

    [[nodiscard]] bool read_only() const { return read_only_; }
    /// What libfuse's -o gets, complete: with default_permissions, subtype and fsname (`source`
    /// unless the user named another).
    [[nodiscard]] std::vector<std::string> for_libfuse(const std::filesystem::path& source) const;
    /// The same for mount(2): MS_RDONLY, MS_NOSUID and so on.
    [[nodiscard]] unsigned long flags() const;
    /// The names of all options.
    static std::vector<std::string_view> names();
    /// All names in a line, for a help text.
    static std::string known();

  private:
    std::vector<std::string> options_;
    bool remount_;
    bool read_only_ = false;
    bool has_fsname_ = false;
    bool has_subtype_ = false;
};

} // namespace partialfs::startup
