#include "tools/mmapstress/engine/run_directory.hpp"

#include "fusefs/base/try.hpp"

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace mmapstress {

Outcome<RunDirectory> RunDirectory::make(const std::string& parent) {
    std::string path = parent + "/mmapstress.XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        return failed("cannot make a directory in " + parent);
    }
    return RunDirectory(std::move(path));
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(std::move(other.device_)),
      files_(std::move(other.files_)), kept_(other.kept_) {}

Outcome<RunDirectory> RunDirectory::on_device(const std::string& path) {
    auto device = TRY(open_device(path));
    RunDirectory directory(path);
    directory.device_ = std::move(device);
    directory.kept_ = true;
    return directory;
}

RunDirectory::~RunDirectory() {
    if (path_.empty() || kept_) {
        return;
    }
    while (!files_.empty()) {
        const std::string path = files_.back().path();
        files_.pop_back(); // unmapped and closed first
        ::unlink(path.c_str());
    }
    ::rmdir(path_.c_str());
}

Outcome<> RunDirectory::add_file(ByteCount size) {
    if (device_ && !files_.empty()) {
        return refused("a block device is one file, and the schedule has several");
    }
    if (device_ && size > device_->size) {
        return refused(path_ + " has " + std::to_string(device_->size.value) +
                       " bytes, and the schedule needs " + std::to_string(size.value));
    }
    auto file = TRY(device_ ? probe_file()
                            : TestFile::create(path_, "file" + std::to_string(files_.size())));
    files_.push_back(std::move(file));
    return {};
}

Outcome<TestFile> RunDirectory::probe_file() {
    if (!device_) {
        return TestFile::create(path_, "probe");
    }
    // Not O_EXCL, which the first descriptor is.
    auto fd = partialfs::base::Fd::open(AT_FDCWD, path_.c_str(), O_RDWR);
    if (!fd) {
        return failed("cannot open " + path_, fd.error());
    }
    return TestFile::on_device(std::move(*fd), path_);
}

} // namespace mmapstress
