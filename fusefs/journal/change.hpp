// Makes sure that a change of a file is in a transaction.
#pragma once

#include "fusefs/file/journaled_file.hpp"
#include "fusefs/journal/journal.hpp"

#include <memory>

namespace partialfs::journal {

/// Lives while a request changes the file's data or size. The constructor joins the file to the
/// running transaction, before anything has changed, as that may fail for want of memory. If the
/// transaction commits before the change is made, the file goes on to the next one even if the
/// commit finds it clean. Used by one thread.
class Change {
  public:
    /// Throws std::bad_alloc. `journal` and `file` must outlive the change.
    Change(Journal& journal, const std::shared_ptr<file::JournaledFile>& file) : coming_(*file) {
        journal.join(file);
    }

  private:
    file::JournaledFile::Coming coming_; // constructed before join(), see there
};

} // namespace partialfs::journal
