// Each daemon's record for other processes: its pid, what it has mounted where, and at the end the
// result of its last commit.
//
// A record is a small file in /dev/shm. The reasons:
// - The kernel's lock on it shows whether its daemon lives. A daemon that crashes leaves no lock,
// so
//   its record is never mistaken for that of a running daemon, and a record without a result
//   correctly says that there was no last commit.
// - It outlives its daemon if the last commit failed: in `umount mnt; partialfs --wait disk` the
//   daemon may have ended long before the second command. A socket could not answer then.
// - Every user may write to /dev/shm (/run/partialfs would need root to create it), nobody may
//   remove another's file there, and it is empty after a reboot.
// - The lock is an open file description lock for writing, for which the file must be open for
//   writing: only the owner (and root) can hold it, and it survives a fork.
// A record is only information: it is the lock on the directory itself (source_lock.hpp), which
// other containers see too, that keeps a second daemon from SOURCE.
//
// The text, a line each: "pid 12", "source-id MAJOR:MINOR:INODE:BORN", "above" and an id for each
// directory above SOURCE, "source PATH", "mountpoint PATH" (newlines in them as "\n"); added when
// mounted: "mount MAJOR:MINOR NAME", with the source's name in the mount table; added at the end:
// "result ERRNO". A line without its newline does not count.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/startup/directory_id.hpp"
#include "fusefs/startup/mount_table.hpp"

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::startup {

inline constexpr const char* kRecordDirectory = "/dev/shm";

/// The contents of a record.
struct MountFacts {
    pid_t pid = 0;
    std::string source;     ///< absolute path
    std::string mountpoint; ///< absolute path
    DirectoryId source_id;
    std::vector<DirectoryId> above;     ///< the directories above SOURCE
    std::optional<MountIdentity> mount; ///< no value: not yet mounted
    std::optional<int> result; ///< of the last commit, 0 or an errno; no value: not yet made

    bool operator==(const MountFacts&) const = default;
};
std::string text_of(const MountFacts& facts);
/// No value if a required line is missing or wrong.
std::optional<MountFacts> parse_mount_facts(std::string_view text);

/// The daemon's own record: published by the constructor, removed by the destructor unless the last
/// commit failed. Used by one thread.
class MountRecord {
  public:
    MountRecord() = default;
    /// If no record can be made (no such directory, no space), `problem()` has the errno, and the
    /// other functions do nothing.
    MountRecord(const std::filesystem::path& directory, const MountFacts& facts);
    MountRecord(const MountRecord&) = delete;
    MountRecord& operator=(const MountRecord&) = delete;
    ~MountRecord();

    [[nodiscard]] const std::optional<base::Errno>& problem() const { return problem_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    void mounted(const MountIdentity& mount);
    /// The last commit is on disk (0), or failed.
    void finished(int error);

  private:
    void add_line(const std::string& line);

    base::Fd fd_; ///< holds the lock
    std::filesystem::path path_;
    std::string name_; ///< the path's last part
    bool keep_ = false;
    std::optional<base::Errno> problem_;
};

/// Another daemon's record.
struct FoundRecord {
    std::string name;
    MountFacts facts;
    bool alive = false; ///< its daemon holds the lock
    uid_t owner = 0;
    base::Fd fd; ///< open for reading
};

/// The records whose owner is one of `trusted`, or all if that is empty; in no order. Unreadable
/// ones are left out.
std::vector<FoundRecord> find_records(const std::filesystem::path& directory,
                                      const std::vector<uid_t>& trusted);
/// Waits until the record's daemon has ended, and returns the record's contents then.
MountFacts wait_for_end(const FoundRecord& record);
/// Removes records of this user's dead daemons that are of no use any more: those of `source_id`,
/// which is being mounted again, and of directories that are gone.
void remove_stale_records(const std::filesystem::path& directory, const DirectoryId& source_id);

} // namespace partialfs::startup
