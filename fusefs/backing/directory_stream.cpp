#include "fusefs/backing/directory_stream.hpp"

#include "fusefs/base/try.hpp"

#include <fcntl.h>

namespace partialfs::backing {

base::Result<DirectoryStream> DirectoryStream::open(const base::Fd& object) {
    auto fd = TRY(base::reopen(object, O_RDONLY | O_DIRECTORY));
    DIR* stream = ::fdopendir(fd.get());
    if (stream == nullptr) {
        return base::last_error();
    }
    static_cast<void>(fd.release());
    return DirectoryStream(stream);
}

base::Result<std::optional<DirectoryEntry>> DirectoryStream::at(off_t position) {
    if (put_back_ && put_back_position_ == position) {
        return std::exchange(put_back_, std::nullopt);
    }
    if (position != position_) {
        put_back_.reset();
        ::seekdir(stream_.get(), position);
    }
    errno = 0;
    const dirent* entry = ::readdir(stream_.get());
    if (entry == nullptr) {
        if (errno != 0) {
            return base::last_error();
        }
        position_ = position;
        return std::optional<DirectoryEntry>{};
    }
    position_ = entry->d_off;
    return DirectoryEntry{entry->d_name, entry->d_ino, static_cast<mode_t>(DTTOIF(entry->d_type)),
                          entry->d_off};
}

void DirectoryStream::put_back(DirectoryEntry entry, off_t position) {
    put_back_ = std::move(entry);
    put_back_position_ = position;
}

} // namespace partialfs::backing
