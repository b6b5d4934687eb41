#include "tools/mmapstress/engine/run_directory.hpp"

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
    : path_(std::exchange(other.path_, {})), files_(std::move(other.files_)), kept_(other.kept_) {}

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

Outcome<> RunDirectory::add_file() {
    auto file = TestFile::create(path_, "file" + std::to_string(files_.size()));
    if (!file) {
        return std::unexpected(file.error());
    }
    files_.push_back(std::move(*file));
    return {};
}

} // namespace mmapstress
