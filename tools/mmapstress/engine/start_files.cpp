#include "tools/mmapstress/engine/start_files.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/verify/expected.hpp"

#include <cerrno>

namespace mmapstress {

Outcome<> start_files(RunDirectory& directory, const Header& header, CommitWatch& commits) {
    Executor executor({directory.files(), header, directory.path(), commits, {}, {}});
    const Expected start(header);
    for (std::uint32_t i = 0; i < header.files.size(); ++i) {
        const FileIndex file{i};
        TRY(directory.add_file(start.size(file)));
        TRY(executor.start(file, header.files[i], header.start_writes));
        directory.files()[i].set_size(start.size(file));
        // Finds out now whether the filesystem has shared writable mappings at all.
        if (start.size(file).value != 0) {
            if (auto mapped = directory.files()[i].map(MapIndex{0}); !mapped) {
                if (mapped.error().error == ENODEV) {
                    mapped.error().what += " (the filesystem has no shared writable mappings)";
                }
                return mapped;
            }
            directory.files()[i].unmap_all();
        }
    }
    return {};
}

} // namespace mmapstress
