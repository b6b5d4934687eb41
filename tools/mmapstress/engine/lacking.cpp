#include "tools/mmapstress/engine/lacking.hpp"

#include "fusefs/base/try.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

namespace mmapstress {

namespace {

constexpr ByteCount kSize{8 * kPageSize};

/// Whether a kernel or a filesystem fails with this errno if it does not have an operation.
bool says_it_lacks(int error) {
    constexpr std::array kSayings{ENOSYS, EOPNOTSUPP, EINVAL, EPERM, EACCES, ENOTTY,
                                  ENODEV, EXDEV,      EFAULT, EBADF, ESRCH};
    return std::ranges::find(kSayings, error) != kSayings.end();
}

/// The destructor removes a file.
class Removal {
  public:
    explicit Removal(std::string path) : path_(std::move(path)) {}
    Removal(const Removal&) = delete;
    Removal& operator=(const Removal&) = delete;
    ~Removal() { ::unlink(path_.c_str()); }

  private:
    std::string path_;
};

/// An operation of this kind that can be carried out on one file of kSize. For clone_file, which
/// needs two files, a clone of a range: filesystems have both or none.
Op example(OpKind kind) {
    if (kind == OpKind::clone_file) {
        return example(OpKind::clone);
    }
    const OpTraits& traits = traits_of(kind);
    Op op;
    op.id = OpId{1};
    op.kind = kind;
    if (traits.has_offset) {
        op.offset = ByteOffset{traits.unit};
        op.length = ByteCount{traits.unit};
    }
    if (traits.has_source) {
        op.from = ByteOffset{kSize.value / 2};
    }
    return op;
}

} // namespace

Outcome<std::vector<LeftOut>> find_lacking(const OpSet& kinds, RunDirectory& directory,
                                           const std::string& helper_directory,
                                           CommitWatch& commits) {
    const OpSet tried = kinds & kinds_with(&OpTraits::may_lack);
    std::vector<LeftOut> lacking;
    if (tried.none()) {
        return lacking;
    }
    auto file = TRY(directory.probe_file());
    std::optional<Removal> removal;
    if (!file.is_device()) {
        removal.emplace(file.path());
    }
    TestFiles files;
    files.push_back(std::move(file));
    Header header;
    header.files.assign(1, FileSpec{kSize, Start::written, {}});
    Executor executor({files, header, directory.path(), commits, {}, {}, helper_directory});
    TRY(executor.start(FileIndex{0}, header.files[0], {}));
    files.front().set_size(kSize);
    for (std::size_t i = 0; i < kOpKinds; ++i) {
        const auto kind = static_cast<OpKind>(i);
        if (!contains(tried, kind)) {
            continue;
        }
        const auto done = executor.execute(example(kind));
        if (!done && !says_it_lacks(done.error().error)) {
            return std::unexpected(done.error());
        }
        if (!done) {
            lacking.push_back({std::string(traits_of(kind).name), done.error().message()});
        }
    }
    return lacking;
}

} // namespace mmapstress
