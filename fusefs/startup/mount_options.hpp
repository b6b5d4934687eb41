// The options of mount(8) and /etc/fstab, sorted into those for libfuse and those that do not
// concern a filesystem.
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
        passed_on, ///< for libfuse or the kernel
        ignored,   ///< for mount(8), or without a meaning for a FUSE filesystem
        malformed, ///< known, but its value is missing, wrong or not allowed
        unknown,
    };

    /// `remount`: for an existing mount. Options that the kernel shows for it are then accepted, as
    /// mount(8) passes them again.
    explicit MountOptions(bool remount = false) : remount_(remount) {}

    /// Adds one option; of two that contradict each other the last wins.
    Kind add(const std::string& option);

    [[nodiscard]] bool read_only() const { return read_only_; }
    /// The complete options for libfuse's -o: with default_permissions, subtype and fsname
    /// (`source` unless the user named another).
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
