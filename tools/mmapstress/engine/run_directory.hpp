// The run's own directory with its files.
#pragma once

#include "tools/mmapstress/engine/executor.hpp"
#include "tools/mmapstress/system/block_device.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <optional>
#include <string>

namespace mmapstress {

/// The destructor removes the directory and its files, unless keep() was called. Not thread-safe.
class RunDirectory {
  public:
    /// Makes a directory with a new name in `parent`.
    static Outcome<RunDirectory> make(const std::string& parent);

    /// A block device instead of a directory; it is the only file. Fails as open_device() does.
    static Outcome<RunDirectory> on_device(const std::string& path);

    RunDirectory(RunDirectory&& other) noexcept;
    RunDirectory& operator=(RunDirectory&&) = delete;
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;
    ~RunDirectory();

    [[nodiscard]] const std::string& path() const { return path_; }
    /// The directory's name in its parent.
    [[nodiscard]] std::string name() const { return path_.substr(path_.rfind('/') + 1); }
    [[nodiscard]] TestFiles& files() { return files_; }
    [[nodiscard]] const TestFiles& files() const { return files_; }
    [[nodiscard]] bool is_device() const { return device_.has_value(); }
    /// Creates the next file (file0, file1 and so on), for `size` bytes. On a device, the first
    /// file is the device, and a second one fails.
    Outcome<> add_file(ByteCount size);
    /// A file to try operations on: a new one, which the caller removes, or the device.
    Outcome<TestFile> probe_file();
    void keep() { kept_ = true; }
    [[nodiscard]] bool kept() const { return kept_; }

  private:
    explicit RunDirectory(std::string path) : path_(std::move(path)) {}

    std::string path_;
    std::optional<OwnDevice> device_;
    TestFiles files_;
    bool kept_ = false;
};

} // namespace mmapstress
