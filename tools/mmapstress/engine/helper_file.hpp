// A worker's own file, from which the kernel stores into the mappings of the run's files.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <string>

namespace mmapstress {

/// The destructor removes the file. Not thread-safe.
class HelperFile {
  public:
    /// A new file in this directory, with a name that no other process or thread uses.
    static Outcome<HelperFile> make(const std::string& directory);

    HelperFile(HelperFile&& other) noexcept;
    HelperFile& operator=(HelperFile&&) = delete;
    HelperFile(const HelperFile&) = delete;
    HelperFile& operator=(const HelperFile&) = delete;
    ~HelperFile();

    [[nodiscard]] const std::string& path() const { return path_; }
    /// Open for reading and writing.
    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Another descriptor, opened with O_DIRECT. Fails with EINVAL where that is not possible.
    Outcome<int> direct();

  private:
    HelperFile(std::string path, partialfs::base::Fd fd)
        : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_; ///< empty: moved away
    partialfs::base::Fd fd_;
    partialfs::base::Fd direct_;
};

} // namespace mmapstress
