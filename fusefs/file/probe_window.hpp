// Corrects the result of a probe for PG_dirty pages by what has happened during it.
#pragma once

#include "fusefs/file/page_cache.hpp"

#include <vector>

namespace partialfs::file {

/// The result of a probe may be out of date when it arrives: a page written back meanwhile is no
/// longer dirty, and after a truncation or a punch the whole result is useless.
/// Not thread-safe: guarded by the file's mutex.
class ProbeWindow {
  public:
    /// A probe begins.
    void open();
    /// The kernel has written these pages back.
    void written_back(PageRange pages);
    /// The file has been truncated or punched.
    void spoil() { spoilt_ = true; }
    /// The probe has ended, and `found` these pages. Returns those that are still dirty.
    [[nodiscard]] PageSet close(const PageSet& found);

  private:
    bool open_ = false;
    bool spoilt_ = false;
    std::vector<PageRange> written_back_;
};

} // namespace partialfs::file
