#include "tools/mmapstress/workloads/apt/cache_reader.hpp"

#include "tools/mmapstress/workloads/apt/cache_layout.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mmapstress::apt {
namespace {

using partialfs::model::ByteOffset;

/// The records of one type that a walk has found.
template <typename Record>
class Seen {
  public:
    explicit Seen(std::size_t file_size) : flags_(file_size / sizeof(Record) + 1) {}
    /// False if the record was seen before.
    bool insert(Ref<Record> ref) {
        const bool fresh = !flags_[ref.index];
        flags_[ref.index] = true;
        count_ += fresh ? 1 : 0;
        return fresh;
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }

  private:
    std::vector<bool> flags_;
    std::uint64_t count_ = 0;
};

class Walker {
  public:
    explicit Walker(std::span<const std::byte> file)
        : file_(file), files_(file.size()), strings_(file.size()), packages_(file.size()),
          versions_(file.size()), dependencies_(file.size()), reverse_(file.size()),
          provides_(file.size()), provided_by_(file.size()), version_files_(file.size()) {}

    CacheCheck check() {
        if (file_.size() < sizeof(Header)) {
            problem(CacheProblem::Kind::too_short, 0,
                    "the file has " + std::to_string(file_.size()) + " bytes, a header alone has " +
                        std::to_string(sizeof(Header)));
            return std::move(result_);
        }
        std::memcpy(&header_, file_.data(), sizeof(Header));
        check_header();
        string_at(offsetof(Header, version_system), header_.version_system, "the version system");
        string_at(offsetof(Header, architecture), header_.architecture, "the architecture");
        walk("the list of index files", header_.files, offsetof(Header, files), &PackageFile::next,
             files_, [&](Ref<PackageFile> ref, const PackageFile& file) {
                 string_at(ref.offset() + offsetof(PackageFile, file_name), file.file_name,
                           "index file " + std::to_string(file.id));
             });
        walk("the list of strings", header_.strings, offsetof(Header, strings), &StringItem::next,
             strings_, [&](Ref<StringItem> ref, const StringItem& item) {
                 string_at(ref.offset() + offsetof(StringItem, text), item.text,
                           "string item " + std::to_string(ref.index));
             });
        for (std::size_t bucket = 0; bucket < Header::kBuckets; ++bucket) {
            check_bucket(bucket);
        }
        check_counts();
        result_.versions = versions_.count();
        result_.dependencies = dependencies_.count();
        return std::move(result_);
    }

  private:
    using Kind = CacheProblem::Kind;

    void problem(Kind kind, std::uint64_t where, std::string text) {
        result_.problems.push_back({kind, ByteOffset{where}, std::move(text)});
    }

    template <typename Record>
    [[nodiscard]] bool inside(Ref<Record> ref) const {
        return ref.offset() >= sizeof(Header) && ref.offset() + sizeof(Record) <= file_.size();
    }

    /// Calls visit(ref, record) for each record of a list. `first` is the link at `link_at`; the
    /// list ends at the first link that cannot be followed.
    template <typename Record, typename Visit>
    void walk(const std::string& list, Ref<Record> first, std::uint64_t link_at,
              Ref<Record> Record::* next, Seen<Record>& seen, Visit visit) {
        for (Ref<Record> ref = first; ref;) {
            if (!inside(ref)) {
                problem(Kind::dangling_link, link_at,
                        list + " leads to record " + std::to_string(ref.index) +
                            ", outside the file");
                return;
            }
            if (!seen.insert(ref)) {
                problem(Kind::loop, link_at,
                        list + " leads to record " + std::to_string(ref.index) +
                            ", which a list has led to before");
                return;
            }
            Record record;
            std::memcpy(&record, file_.data() + ref.offset(), sizeof(Record));
            visit(ref, record);
            link_at = ref.offset() + static_cast<std::uint64_t>(
                                         reinterpret_cast<const std::byte*>(&(record.*next)) -
                                         reinterpret_cast<const std::byte*>(&record));
            ref = record.*next;
        }
    }

    /// The string that the link at `link_at` leads to. If there is none, notes a problem.
    std::string string_at(std::uint64_t link_at, StringRef ref, const std::string& owner) {
        if (!ref) {
            problem(Kind::bad_string, link_at, owner + " has no text");
            return {};
        }
        if (ref.offset < sizeof(Header) || ref.offset >= file_.size()) {
            problem(Kind::bad_string, link_at,
                    "the text of " + owner + " lies outside the file, at " +
                        std::to_string(ref.offset));
            return {};
        }
        const auto rest = file_.subspan(ref.offset);
        const auto end = std::ranges::find(rest, std::byte{0});
        const std::string text(reinterpret_cast<const char*>(rest.data()),
                               static_cast<std::size_t>(end - rest.begin()));
        const bool readable =
            std::ranges::all_of(text, [](char letter) { return letter >= ' ' && letter <= '~'; });
        if (text.empty() || end == rest.end() || !readable) {
            problem(Kind::bad_string, ref.offset,
                    "the text of " + owner +
                        (text.empty()        ? " is empty"
                         : end == rest.end() ? " has no end"
                                             : " is not text"));
            return {};
        }
        return text;
    }

    void check_header() {
        if (header_.signature != Header::kSignature || header_.major != Header::kMajor ||
            header_.minor != Header::kMinor || header_.header_size != sizeof(Header) ||
            header_.package_size != sizeof(Package) ||
            header_.package_file_size != sizeof(PackageFile) ||
            header_.version_size != sizeof(Version) ||
            header_.dependency_size != sizeof(Dependency) ||
            header_.provides_size != sizeof(Provides) ||
            header_.version_file_size != sizeof(VersionFile)) {
            problem(Kind::bad_header, 0, "the header is not that of a package cache");
        }
        if (header_.dirty != 0) {
            problem(Kind::left_dirty, offsetof(Header, dirty),
                    "the dirty flag is set: the cache was never finished");
        }
    }

    void check_bucket(std::size_t bucket) {
        const std::uint64_t link_at = offsetof(Header, buckets) + bucket * sizeof(Ref<Package>);
        walk("bucket " + std::to_string(bucket), header_.buckets.at(bucket), link_at,
             &Package::next, packages_, [&](Ref<Package> ref, const Package& package) {
                 check_package(bucket, ref, package);
             });
    }

    void check_package(std::size_t bucket, Ref<Package> ref, const Package& package) {
        const std::string record = "package record " + std::to_string(ref.index);
        const std::string text =
            string_at(ref.offset() + offsetof(Package, name), package.name, record);
        const std::string name = text.empty() ? record : "package " + text;
        if (!text.empty()) {
            result_.packages.push_back(text);
            if (bucket_of(text) != bucket) {
                problem(Kind::misfiled, ref.offset() + offsetof(Package, next),
                        name + " is in bucket " + std::to_string(bucket) + ", not in its own");
            }
        }
        if (package.id >= numbers_.size()) {
            numbers_.resize(std::min<std::size_t>(package.id, file_.size() / sizeof(Package)) + 1);
        }
        if (package.id >= numbers_.size() || numbers_[package.id]) {
            problem(Kind::misfiled, ref.offset() + offsetof(Package, id),
                    name + " has number " + std::to_string(package.id) + ", which is not its own");
        } else {
            numbers_[package.id] = true;
        }
        bool has_current = !package.current;
        walk("the versions of " + name, package.versions,
             ref.offset() + offsetof(Package, versions), &Version::next, versions_,
             [&](Ref<Version> version_ref, const Version& version) {
                 has_current = has_current || version_ref == package.current;
                 check_version(name, ref, version_ref, version);
             });
        if (!has_current) {
            problem(Kind::dangling_link, ref.offset() + offsetof(Package, current),
                    "the installed version of " + name + " is none of its versions");
        }
        walk("the reverse dependencies of " + name, package.reverse_depends,
             ref.offset() + offsetof(Package, reverse_depends), &Dependency::next_reverse, reverse_,
             [&](Ref<Dependency> at, const Dependency& dependency) {
                 expect_link(at.offset() + offsetof(Dependency, target), dependency.target, ref,
                             "a reverse dependency of " + name);
             });
        walk("the providers of " + name, package.provided_by,
             ref.offset() + offsetof(Package, provided_by), &Provides::next_package, provided_by_,
             [&](Ref<Provides> at, const Provides& provides) {
                 expect_link(at.offset() + offsetof(Provides, provided), provides.provided, ref,
                             "a provider of " + name);
             });
    }

    void check_version(const std::string& package_name, Ref<Package> package, Ref<Version> ref,
                       const Version& version) {
        const std::string text = string_at(ref.offset() + offsetof(Version, text), version.text,
                                           "a version of " + package_name);
        const std::string name = package_name + " version " + (text.empty() ? "?" : text);
        expect_link(ref.offset() + offsetof(Version, parent), version.parent, package, name);
        string_at(ref.offset() + offsetof(Version, section), version.section,
                  "the section of " + name);
        if (!version.files) {
            problem(Kind::dangling_link, ref.offset() + offsetof(Version, files),
                    name + " comes from no index file");
        }
        walk("the files of " + name, version.files, ref.offset() + offsetof(Version, files),
             &VersionFile::next, version_files_, [&](Ref<VersionFile> at, const VersionFile& file) {
                 follow(at.offset() + offsetof(VersionFile, file), file.file,
                        "the index file of " + name);
             });
        walk("the dependencies of " + name, version.depends,
             ref.offset() + offsetof(Version, depends), &Dependency::next, dependencies_,
             [&](Ref<Dependency> at, const Dependency& dependency) {
                 expect_link(at.offset() + offsetof(Dependency, parent), dependency.parent, ref,
                             "a dependency of " + name);
                 follow(at.offset() + offsetof(Dependency, target), dependency.target,
                        "a dependency of " + name);
                 if (dependency.version) {
                     string_at(at.offset() + offsetof(Dependency, version), dependency.version,
                               "a dependency of " + name);
                 }
             });
        walk("what " + name + " provides", version.provides,
             ref.offset() + offsetof(Version, provides), &Provides::next, provides_,
             [&](Ref<Provides> at, const Provides& provides) {
                 expect_link(at.offset() + offsetof(Provides, version), provides.version, ref,
                             "what " + name + " provides");
                 follow(at.offset() + offsetof(Provides, provided), provides.provided,
                        "what " + name + " provides");
             });
    }

    /// Checks a link that must lead to a record.
    template <typename Record>
    void follow(std::uint64_t link_at, Ref<Record> ref, const std::string& what) {
        if (!inside(ref)) {
            problem(Kind::dangling_link, link_at,
                    what + (ref ? " leads outside the file" : " leads nowhere"));
        }
    }

    /// Checks a link that must lead to `owner`.
    template <typename Record>
    void expect_link(std::uint64_t link_at, Ref<Record> ref, Ref<Record> owner,
                     const std::string& what) {
        if (ref != owner) {
            problem(Kind::misfiled, link_at,
                    what + " names record " + std::to_string(ref.index) + " as its owner, not " +
                        std::to_string(owner.index));
        }
    }

    void check_count(std::string_view what, std::uint64_t where, std::uint64_t told,
                     std::uint64_t found) {
        if (told != found) {
            problem(Kind::wrong_count, where,
                    "the header counts " + std::to_string(told) + " " + std::string(what) + ", " +
                        std::to_string(found) + " can be reached");
        }
    }

    void check_counts() {
        check_count("packages", offsetof(Header, package_count), header_.package_count,
                    packages_.count());
        check_count("versions", offsetof(Header, version_count), header_.version_count,
                    versions_.count());
        check_count("dependencies", offsetof(Header, dependency_count), header_.dependency_count,
                    dependencies_.count());
        check_count("reverse dependencies", offsetof(Header, dependency_count),
                    header_.dependency_count, reverse_.count());
        check_count("index files", offsetof(Header, package_file_count), header_.package_file_count,
                    files_.count());
        check_count("version files", offsetof(Header, version_file_count),
                    header_.version_file_count, version_files_.count());
        check_count("provided packages", offsetof(Header, provides_count), header_.provides_count,
                    provides_.count());
        check_count("providers", offsetof(Header, provides_count), header_.provides_count,
                    provided_by_.count());
        check_count("strings", offsetof(Header, string_count), header_.string_count,
                    strings_.count());
        if (header_.package_count > file_.size() / sizeof(Package)) {
            return; // the counter itself is damaged, as reported above
        }
        numbers_.resize(std::max<std::size_t>(numbers_.size(), header_.package_count));
        for (std::size_t id = 0; id < header_.package_count; ++id) {
            if (!numbers_[id]) {
                problem(Kind::missing_package, offsetof(Header, buckets),
                        "package number " + std::to_string(id) + " is missing");
            }
        }
    }

    std::span<const std::byte> file_;
    Header header_{};
    CacheCheck result_;
    std::vector<bool> numbers_; ///< package numbers that were found
    Seen<PackageFile> files_;
    Seen<StringItem> strings_;
    Seen<Package> packages_;
    Seen<Version> versions_;
    Seen<Dependency> dependencies_;
    Seen<Dependency> reverse_;
    Seen<Provides> provides_;
    Seen<Provides> provided_by_;
    Seen<VersionFile> version_files_;
};

} // namespace

std::string_view to_string(CacheProblem::Kind kind) {
    switch (kind) {
    case CacheProblem::Kind::too_short:
        return "too-short";
    case CacheProblem::Kind::bad_header:
        return "bad-header";
    case CacheProblem::Kind::left_dirty:
        return "left-dirty";
    case CacheProblem::Kind::dangling_link:
        return "dangling-link";
    case CacheProblem::Kind::loop:
        return "loop";
    case CacheProblem::Kind::bad_string:
        return "bad-string";
    case CacheProblem::Kind::misfiled:
        return "misfiled";
    case CacheProblem::Kind::missing_package:
        return "missing-package";
    case CacheProblem::Kind::wrong_count:
        return "wrong-count";
    }
    return "unknown";
}

CacheCheck check_cache(std::span<const std::byte> file) {
    return Walker{file}.check();
}

} // namespace mmapstress::apt
