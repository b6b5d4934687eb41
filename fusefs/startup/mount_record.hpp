// What each daemon tells others about itself: who it is, what it has mounted where, and in the end
// how its last commit went.
//
// A record is a small file in /dev/shm. Why there and why a file:
// - the kernel's lock on it says whether its daemon lives. A daemon that crashes leaves no lock, so
//   no record is ever taken for a running daemon by mistake; what it does leave says truly that
//   there was no last commit.
// - it outlives its daemon where the last commit failed: `umount mnt; partialfs --wait disk` may
//   ask when the daemon has long ended. A socket could not answer then.
// - every user may write to /dev/shm (/run/partialfs would first need root to make it), nobody may
//   remove another's file there, and it is empty after a reboot.
// - the lock is an open file description lock for writing, which takes a descriptor that may write
//   to the file: nobody but the owner (and root) can hold it, and it survives a fork.
// A record is only information: what keeps a second daemon from SOURCE is the lock on the directory
// itself (source_lock.hpp), which other containers see too.
//
// The text, a line each: "pid 12", "source-id MAJOR:MINOR:INODE:BORN", "above" and an id for each
// directory above SOURCE, "source PATH", "mountpoint PATH" (newlines in them as "\n"); added once
// mounted: "mount MAJOR:MINOR NAME", the name that the mount table has for its source; added at the
// end: "result ERRNO". A line counts once it is whole.
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

/// What a record says.
struct MountFacts {
    pid_t pid = 0;
    std::string source;     ///< absolute path
    std::string mountpoint; ///< absolute path
    DirectoryId source_id;
    std::vector<DirectoryId> above;     ///< SOURCE
    std::optional<MountIdentity> mount; ///< nothing: not yet mounted
    std::optional<int> result; ///< of the last commit, 0 or an errno; nothing: not yet made

    bool operator==(const MountFacts&) const = default;
};
std::string text_of(const MountFacts& facts);
/// Nothing if a line that must be there is missing or wrong.
std::optional<MountFacts> parse_mount_facts(std::string_view text);

/// The daemon's own record: published by the constructor, taken away by the destructor unless the
/// last commit failed. One thread.
class MountRecord {
  public:
    MountRecord() = default;
    /// Where there can be no record (no such directory, no space), `problem()` says why, and the
    /// rest does nothing.
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

/// The records whose owner is one of `trusted`, or all if that is empty; in no order. What cannot
/// be read is left out.
std::vector<FoundRecord> find_records(const std::filesystem::path& directory,
                                      const std::vector<uid_t>& trusted);
/// Waits until the record's daemon has ended, and returns what the record says then.
MountFacts wait_for_end(const FoundRecord& record);
/// Removes the records of this user's dead daemons that nobody can ask for any more: of
/// `source_id`, which is mounted anew, and of directories that are gone.
void remove_stale_records(const std::filesystem::path& directory, const DirectoryId& source_id);

} // namespace partialfs::startup
