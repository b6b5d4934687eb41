// The time that a look for PG_dirty pages takes, and what happens meanwhile.
#pragma once

#include "fusefs/file/page_cache.hpp"

#include <vector>

namespace partialfs::file {

/// What a probe found may be out of date when it is told: a page written back meanwhile is no
/// longer dirty, and after a truncation or a punch nothing of it can be trusted.
/// Not thread-safe: guarded by the file's mutex.
class ProbeWindow {
  public:
    /// A probe begins.
    void open();
    /// The kernel has written these pages back.
    void written_back(PageRange pages);
    /// The file has been truncated or punched.
    void spoil() { spoilt_ = true; }
    /// The probe has ended, and `found` these pages. Returns what of it still holds.
    [[nodiscard]] PageSet close(const PageSet& found);

  private:
    bool open_ = false;
    bool spoilt_ = false;
    std::vector<PageRange> written_back_;
};

} // namespace partialfs::file
