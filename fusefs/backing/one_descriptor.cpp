#include "fusefs/backing/one_descriptor.hpp"

#include "fusefs/base/try.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace partialfs::backing {

using base::Fd;

int OneDescriptor::first_scarce() {
    static const int first = [] {
        rlimit descriptors{};
        return ::getrlimit(RLIMIT_NOFILE, &descriptors) == 0
                   ? static_cast<int>(std::min<rlim_t>(descriptors.rlim_cur / 8, INT_MAX))
                   : INT_MAX;
    }();
    return first;
}

std::shared_ptr<const Fd> OneDescriptor::keep(Fd opened, int scarce) {
    if (opened.get() < scarce) {
        return std::make_shared<const Fd>(std::move(opened));
    }
    const auto number = number_;
    {
        const base::Lock lock(number->mutex);
        if (::dup3(opened.get(), path_fd_.get(), O_CLOEXEC) < 0) {
            return std::make_shared<const Fd>(std::move(opened));
        }
        ++number->handles;
    }
    return {&path_fd_, [number](const Fd* path_fd) {
                const base::Lock lock(number->mutex);
                if (--number->handles > 0) {
                    return; // the number stands for a file opened later
                }
                // If no descriptor is left for this, the file stays open, which does no harm; the
                // end of the next handle tries again.
                if (const auto path = base::reopen(*path_fd, O_PATH)) {
                    ::dup3(path->get(), path_fd->get(), O_CLOEXEC);
                }
            }};
}

namespace {

/// A descriptor kept in reserve, so that one number is free when all others are taken.
class Spare {
  public:
    template <typename Open>
    auto used_by(Open open) -> decltype(open()) {
        const base::Lock lock(mutex_);
        fd_.reset();
        auto opened = open();
        hold();
        return opened;
    }
    void hold() REQUIRES(mutex_) {
        if (auto fd = Fd::open(AT_FDCWD, "/", O_PATH)) {
            fd_ = std::move(*fd);
        }
    }
    void begin() {
        const base::Lock lock(mutex_);
        if (!fd_) {
            hold();
        }
    }

  private:
    base::Mutex mutex_; ///< taken before a number's
    Fd fd_ GUARDED_BY(mutex_);
};

Spare& spare() {
    static Spare one;
    static const bool held = [] {
        one.begin();
        return true;
    }();
    static_cast<void>(held);
    return one;
}

} // namespace

base::Result<std::shared_ptr<const Fd>> OneDescriptor::reopen(int flags) {
    const auto open = [&]() -> base::Result<std::shared_ptr<const Fd>> {
        auto fd = TRY(base::reopen(path_fd_, flags));
        return keep(std::move(fd));
    };
    Spare& last = spare(); // held from the first file on
    auto opened = open();
    return !opened && opened.error().value == EMFILE ? last.used_by(open) : opened;
}

} // namespace partialfs::backing
