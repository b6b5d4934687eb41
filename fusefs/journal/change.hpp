// A change of a file, from before its data comes until after.
#pragma once

#include "fusefs/file/journaled_file.hpp"
#include "fusefs/journal/journal.hpp"

#include <memory>

namespace partialfs::journal {

/// Lives while a request changes the file's data or size. The file joins the running transaction at
/// the beginning, as there may be no memory for that; and if that transaction commits before the
/// change has come, the commit leaves the file in the next one, however clean it finds it.
/// For one thread.
class Change {
  public:
    /// Throws std::bad_alloc. `journal` and `file` must outlive the change.
    Change(Journal& journal, const std::shared_ptr<file::JournaledFile>& file) : coming_(*file) {
        journal.join(file);
    }

  private:
    file::JournaledFile::Coming coming_; // before the file is asked whether it has joined
};

} // namespace partialfs::journal
