// The operations that are one system call on a range of a file.
#pragma once

#include "tools/mmapstress/engine/test_file.hpp"

namespace mmapstress {

/// Whether call_on_range() can carry out this kind.
bool is_call_on_range(OpKind kind);

/// ftruncate(), fallocate() or sync_file_range() of the file as op.hpp states it. The failure names
/// call and file. Any thread.
Outcome<> call_on_range(const TestFile& file, const Op& op);

/// copy_file_range(), ioctl(FICLONERANGE) or ioctl(FICLONE), as op.hpp states it, from `source`,
/// which may be the same file. The failure names call and file. Any thread.
Outcome<> copy_range(const TestFile& source, const TestFile& file, const Op& op);

} // namespace mmapstress
