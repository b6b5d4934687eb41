#include "fusefs/power/undo_store.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

namespace partialfs::power {

using base::Fd;
using base::Result;

Result<UndoStore> UndoStore::make(const std::string& beside, model::ByteCount cap) {
    auto fd = Fd::open(AT_FDCWD, beside.c_str(), O_TMPFILE | O_RDWR, 0600);
    if (!fd) { // a filesystem without O_TMPFILE
        std::string name = beside + "/.partialfs-power-XXXXXX";
        const int made = ::mkostemp(name.data(), O_CLOEXEC);
        if (made < 0) {
            return base::last_error();
        }
        fd = Fd{made};
        ::unlink(name.c_str());
    }
    return UndoStore{std::move(*fd), cap.value};
}

Result<UndoStore::Place> UndoStore::keep(std::span<const std::byte> bytes) {
    Place place{.at = end_, .length = bytes.size()};
    place.zeros = std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
    if (place.zeros) {
        return place;
    }
    if (used_ + bytes.size() > cap_) {
        return base::failed(ENOSPC);
    }
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t put = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(end_ + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            const base::Errno error{put == 0 ? ENOSPC : errno};
            // Frees the room of a part that was written.
            [[maybe_unused]] const int cut = ::ftruncate(fd_.get(), static_cast<off_t>(end_));
            return std::unexpected(error);
        }
        done += static_cast<std::size_t>(put);
    }
    end_ += bytes.size();
    used_ += bytes.size();
    return place;
}

void UndoStore::drop(const Place& place) {
    if (place.zeros || place.length == 0) {
        return;
    }
    used_ -= place.length;
    if (used_ == 0) {
        if (::ftruncate(fd_.get(), 0) == 0) {
            end_ = 0;
        }
        return;
    }
    // A filesystem that cannot punch holes keeps the space until the store is empty.
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(place.at),
                static_cast<off_t>(place.length));
}

Result<void> UndoStore::read(const Place& place, std::uint64_t offset,
                             std::span<std::byte> target) const {
    if (place.zeros) {
        std::ranges::fill(target, std::byte{0});
        return {};
    }
    for (std::size_t done = 0; done < target.size();) {
        const ssize_t got = ::pread(fd_.get(), target.data() + done, target.size() - done,
                                    static_cast<off_t>(place.at + offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? base::failed(EIO) : base::last_error();
        }
        done += static_cast<std::size_t>(got);
    }
    return {};
}

} // namespace partialfs::power
