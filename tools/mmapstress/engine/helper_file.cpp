#include "tools/mmapstress/engine/helper_file.hpp"

#include <atomic>
#include <utility>

namespace mmapstress {

using partialfs::base::Fd;

Outcome<HelperFile> HelperFile::make(const std::string& directory) {
    static std::atomic<unsigned> number{0};
    const std::string path = directory + "/mmapstress-helper." + std::to_string(::getpid()) + "." +
                             std::to_string(number.fetch_add(1, std::memory_order_relaxed));
    auto fd = Fd::open(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd) {
        return failed("cannot create " + path, fd.error());
    }
    return HelperFile(path, std::move(*fd));
}

HelperFile::HelperFile(HelperFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)),
      direct_(std::move(other.direct_)) {}

HelperFile::~HelperFile() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

Outcome<int> HelperFile::direct() {
    if (!direct_) {
        auto fd = Fd::open(AT_FDCWD, path_.c_str(), O_RDWR | O_DIRECT);
        if (!fd) {
            return failed("cannot open " + path_ + " with O_DIRECT", fd.error());
        }
        direct_ = std::move(*fd);
    }
    return direct_.get();
}

} // namespace mmapstress
