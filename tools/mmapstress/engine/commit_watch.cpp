#include "tools/mmapstress/engine/commit_watch.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <new>

namespace mmapstress {

void CommitWatch::Unmap::operator()(Counts* counts) const {
    ::munmap(counts, sizeof(Counts));
}

Outcome<CommitWatch> CommitWatch::of_filesystem(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) {
        return failed("cannot find the device of " + path);
    }
    void* const memory =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return failed("cannot get memory to share with processes");
    }
    return CommitWatch(DeviceSectors(found.st_dev), new (memory) Counts{});
}

Outcome<> CommitWatch::during(const std::function<Outcome<>()>& commit) {
    const auto before = device_.written();
    auto done = commit();
    if (done) {
        ++counts_->done;
        if (before && before == device_.written()) {
            ++counts_->empty;
        }
    }
    return done;
}

Commits CommitWatch::counted() const {
    Commits commits{counts_->done, std::nullopt};
    if (at_first_ && device_.written() != at_first_) {
        commits.empty = counts_->empty;
    }
    return commits;
}

} // namespace mmapstress
