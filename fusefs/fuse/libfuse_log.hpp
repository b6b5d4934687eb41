// What libfuse says, in our log.
#pragma once

#include <string>

namespace partialfs::fuse {

/// From now on what libfuse says goes to spdlog, by its level. For the whole process.
void log_what_libfuse_says();

/// While one exists, the errors that libfuse tells on this thread go into it instead of the log:
/// libfuse returns no errno, so they are all there is to say why something failed. One at a time.
class LibfuseErrors {
  public:
    LibfuseErrors();
    LibfuseErrors(const LibfuseErrors&) = delete;
    LibfuseErrors& operator=(const LibfuseErrors&) = delete;
    ~LibfuseErrors();

    /// In one line; empty if there were none.
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

} // namespace partialfs::fuse
