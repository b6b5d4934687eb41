// What a case has open: the handles, mappings and names of both sides, and what is known about
// them.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tests/mounted/differential/answer.hpp"
#include "tests/mounted/differential/operation.hpp"
#include "tests/mounted/differential/side.hpp"
#include "tests/mounted/differential/storm.hpp"
#include "tests/mounted/differential/time_rules.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace partialfs::differential {

struct Handle {
    Both<base::Fd> fd;
    int flags = 0;

    [[nodiscard]] bool is_direct() const { return (flags & O_DIRECT) != 0; }
};

/// A mapping of the first kMappedBytes of a file, on both sides.
constexpr std::size_t kMappedBytes = std::size_t{2} << 20U;
class Mapping {
  public:
    Mapping(const Both<char*>& address, base::Fd plain, bool writable)
        : address_(address), plain_(std::move(plain)), writable_(writable) {}
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    /// Unmaps both sides.
    ~Mapping();

    [[nodiscard]] const Both<char*>& address() const { return address_; }
    [[nodiscard]] bool writable() const { return writable_; }
    /// The plain file. The mount's descriptor is not kept: the mapping may be its file's only user.
    [[nodiscard]] const base::Fd& plain() const { return plain_; }

  private:
    Both<char*> address_;
    base::Fd plain_;
    bool writable_;
};

/// A range of a file's bytes that a storm changes; empty if there is none.
struct Mask {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};

class World {
  public:
    /// The directories must exist. Every file first seen from now on counts as new.
    World(Both<std::filesystem::path> base, const Checks& checks)
        : base_(std::move(base)), checks_(checks), times_(checks) {
        look_at_path("begin", ".");
    }

    [[nodiscard]] const Checks& checks() const { return checks_; }
    [[nodiscard]] TimeRules& times() { return times_; }
    [[nodiscard]] const Both<std::filesystem::path>& base() const { return base_; }
    [[nodiscard]] std::string path(Side side, unsigned name) const {
        return (base_[side] / path_of(name)).string();
    }
    /// The handle in a slot; null if none is open there.
    [[nodiscard]] Handle* handle(unsigned slot);
    void put_handle(unsigned slot, Handle handle) {
        handles_.at(slot % kHandles) = std::move(handle);
    }
    [[nodiscard]] std::optional<Mapping>& mapping(unsigned slot) {
        return mappings_.at(slot % kMappings);
    }
    [[nodiscard]] std::optional<Storm>& storm() { return storm_; }
    /// The mapping in which the storm stores.
    unsigned storm_slot = 0;
    /// Whether the storm stores into this file.
    [[nodiscard]] bool is_stormy(const Identity& file) const {
        return storm_ && storm_->file() == file;
    }
    [[nodiscard]] Mask mask_of(const Identity& file) const;
    /// Ends the storm, if there is one.
    void calm();

    /// Compares the attributes on both sides: of a handle, of a name (if it is a symbolic link, of
    /// the link itself), of a name's directory.
    void look_at(std::string_view what, const Handle& handle);
    void look_at(std::string_view what, unsigned name);
    void look_at_parent(std::string_view what, unsigned name);

  private:
    void look_at_path(std::string_view what, std::string_view path);
    void compare(std::string_view what, const Identity& file, const Both<struct stat>& status,
                 const TimeRules::AskDaemon& ask);

    Both<std::filesystem::path> base_;
    const Checks& checks_;
    TimeRules times_;
    std::map<Identity, ino_t> inodes_; ///< the mount's inode number of each file of the plain side
    std::array<Handle, kHandles> handles_;
    std::array<std::optional<Mapping>, kMappings> mappings_;
    std::optional<Storm> storm_; ///< last, so that it is destroyed before the mappings
};

/// The identity of a plain file. {0, 0} if it does not exist.
[[nodiscard]] Identity identity_of(int plain_fd);
[[nodiscard]] Identity identity_of(const std::string& plain_path, bool follow);

} // namespace partialfs::differential
