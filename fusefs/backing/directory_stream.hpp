// An open directory, read entry by entry, with positions that may be returned to.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <dirent.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

namespace partialfs::backing {

struct DirectoryEntry {
    std::string name;
    ino_t number = 0;
    mode_t type = 0; ///< S_IFREG, S_IFDIR, ...; 0 where the filesystem does not say
    off_t next = 0;  ///< position of the entry behind this one
};

/// Not thread-safe: the owner guards it.
class DirectoryStream {
  public:
    /// Opens the directory that `object` (O_PATH) refers to.
    static base::Result<DirectoryStream> open(const base::Fd& object);

    /// The entry at `position`: 0 for the first, or DirectoryEntry::next of an earlier one. Nothing
    /// at the end. As with readdir(3), an entry that is made or removed during the listing may or
    /// may not be returned; every other entry is returned once.
    base::Result<std::optional<DirectoryEntry>> at(off_t position);
    /// The next at() returns `entry` again if it asks for the same `position`.
    void put_back(DirectoryEntry entry, off_t position);

    /// The directory, open for reading, for as long as the stream lives.
    [[nodiscard]] int fd() const { return ::dirfd(stream_.get()); }

  private:
    struct Close {
        void operator()(DIR* stream) const { ::closedir(stream); }
    };
    explicit DirectoryStream(DIR* stream) : stream_(stream) {}

    std::unique_ptr<DIR, Close> stream_;
    off_t position_ = 0; ///< where the stream stands
    std::optional<DirectoryEntry> put_back_;
    off_t put_back_position_ = 0;
};

} // namespace partialfs::backing
