// The run's own directory with its files: made, and removed again.
#pragma once

#include "tools/mmapstress/engine/executor.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <string>

namespace mmapstress {

/// Removes its files and itself when it goes, unless told to keep them. Not thread-safe.
class RunDirectory {
  public:
    /// Makes a directory of a new name in `parent`.
    static Outcome<RunDirectory> make(const std::string& parent);

    RunDirectory(RunDirectory&& other) noexcept;
    RunDirectory& operator=(RunDirectory&&) = delete;
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;
    ~RunDirectory();

    [[nodiscard]] const std::string& path() const { return path_; }
    /// The directory's name in its parent.
    [[nodiscard]] std::string name() const { return path_.substr(path_.rfind('/') + 1); }
    [[nodiscard]] TestFiles& files() { return files_; }
    /// Creates the next file: file0, file1 and so on.
    Outcome<> add_file();
    void keep() { kept_ = true; }
    [[nodiscard]] bool kept() const { return kept_; }

  private:
    explicit RunDirectory(std::string path) : path_(std::move(path)) {}

    std::string path_;
    TestFiles files_;
    bool kept_ = false;
};

} // namespace mmapstress
