// The package cache of Debian's apt as it lay on disk in 2006 (pkgcache.bin, 64-bit).
//
// One file, mapped as a whole. First a header with counters, pool cursors and the hash table of
// package names; then records of seven types, each type in pools of 20 KiB. Strings are between the
// pools, wherever the end of the used part was. Records refer to each other by index (offset
// divided by the record's size), to strings by byte offset; 0 is "none". Only values: no I/O, any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mmapstress::apt {

/// Link to a record of one type: its offset in the file divided by its size. 0: none.
template <typename Record>
struct Ref {
    std::uint32_t index = 0;
    constexpr bool operator==(const Ref&) const = default;
    constexpr explicit operator bool() const { return index != 0; }
    /// Where the record begins in the file, in bytes.
    [[nodiscard]] constexpr std::uint64_t offset() const;
};

/// Link to a string: the byte offset of its first character; it ends with a zero byte. 0: none.
struct StringRef {
    std::uint32_t offset = 0;
    constexpr bool operator==(const StringRef&) const = default;
    constexpr explicit operator bool() const { return offset != 0; }
};

struct Package;
struct Version;
struct Dependency;
struct Provides;
struct VersionFile;

/// One index file that the packages were read from.
struct PackageFile {
    StringRef file_name;
    StringRef archive;
    StringRef component;
    StringRef release;
    StringRef origin;
    StringRef label;
    StringRef architecture;
    StringRef site;
    StringRef index_type;
    std::uint32_t reserved;
    std::uint64_t size;
    std::uint64_t flags;
    Ref<PackageFile> next;
    std::uint32_t id;
    std::uint64_t modified;
};

/// One package name. It may have no version: then other packages only depend on it or provide it.
struct Package {
    StringRef name;
    Ref<Version> versions;
    Ref<Version> current; ///< the installed version
    StringRef section;
    Ref<Package> next; ///< in the same bucket of the hash table
    Ref<Dependency> reverse_depends;
    Ref<Provides> provided_by;
    std::uint8_t selected_state;
    std::uint8_t install_state;
    std::uint8_t current_state;
    std::uint8_t reserved;
    std::uint32_t id; ///< counted from 0, without gaps
    std::uint32_t reserved2;
    std::uint64_t flags;
};

struct Version {
    StringRef text;
    StringRef section;
    Ref<VersionFile> files;
    Ref<Version> next;
    StringRef architecture;
    Ref<Dependency> depends;
    Ref<Package> parent;
    Ref<Provides> provides;
    std::uint32_t size;
    std::uint32_t installed_size;
    std::uint16_t hash;
    std::uint16_t reserved;
    std::uint32_t id;
    std::uint8_t priority;
    std::array<std::uint8_t, 3> reserved2;
};

struct Dependency {
    StringRef version;
    Ref<Package> target;
    Ref<Dependency> next;         ///< of the same version
    Ref<Dependency> next_reverse; ///< on the same target
    Ref<Version> parent;
    std::uint32_t id;
    std::uint8_t type;
    std::uint8_t compare;
    std::uint16_t reserved;
};

struct Provides {
    Ref<Package> provided;
    Ref<Version> version;
    StringRef provided_version;
    Ref<Provides> next;         ///< of the same version
    Ref<Provides> next_package; ///< of the same provided package
};

/// Where a version's paragraph is in an index file.
struct VersionFile {
    Ref<PackageFile> file;
    Ref<VersionFile> next;
    std::uint32_t offset;
    std::uint32_t size;
};

/// A string that is kept only once. All of them form one list in alphabetical order.
struct StringItem {
    StringRef text;
    Ref<StringItem> next;
};

template <typename Record>
constexpr std::uint64_t Ref<Record>::offset() const {
    return index * std::uint64_t{sizeof(Record)};
}

/// Where the next record of one size goes. The cursors are in the header and change with each
/// record.
struct Pool {
    std::uint64_t item_size;
    std::uint64_t start; ///< offset of the next free record
    std::uint64_t count; ///< free records left
};

struct Header {
    static constexpr std::uint64_t kSignature = 0x98FE76DC;
    static constexpr std::uint16_t kMajor = 4;
    static constexpr std::uint16_t kMinor = 0;
    static constexpr std::size_t kPools = 8;
    static constexpr std::size_t kBuckets = 2UL * 1048;

    std::uint64_t signature;
    std::uint16_t major;
    std::uint16_t minor;
    std::uint8_t dirty; ///< 1 until the cache is complete
    std::uint8_t reserved;
    std::uint16_t header_size;
    std::uint16_t package_size;
    std::uint16_t package_file_size;
    std::uint16_t version_size;
    std::uint16_t dependency_size;
    std::uint16_t provides_size;
    std::uint16_t version_file_size;
    std::uint32_t reserved2;
    std::uint64_t package_count;
    std::uint64_t version_count;
    std::uint64_t dependency_count;
    std::uint64_t package_file_count;
    std::uint64_t version_file_count;
    std::uint64_t provides_count;
    std::uint64_t string_count;
    std::uint64_t reserved3;
    Ref<PackageFile> files;
    Ref<StringItem> strings;
    StringRef version_system;
    StringRef architecture;
    std::uint64_t longest_version_file;
    std::uint64_t reserved4;
    std::array<Pool, kPools> pools;
    std::array<Ref<Package>, kBuckets> buckets;
};
static_assert(sizeof(Header) == 8704, "the 8.7 KB that apt synchronised first");
static_assert(sizeof(PackageFile) == 72 && sizeof(Package) == 48 && sizeof(Version) == 52 &&
              sizeof(Dependency) == 28 && sizeof(Provides) == 20 && sizeof(VersionFile) == 16 &&
              sizeof(StringItem) == 8);

/// Bytes that are reserved at once for records of one size.
inline constexpr std::uint64_t kPoolBytes = 20UL * 1024;
/// Size of the mapping, and the largest size of the cache: APT::Cache-Limit was 16 MiB then.
inline constexpr std::uint64_t kDefaultLimit = 16UL << 20;

/// The bucket of a package name; upper and lower case are the same.
constexpr std::size_t bucket_of(std::string_view name) {
    std::uint64_t hash = 0;
    for (const char letter : name) {
        const bool upper = letter >= 'A' && letter <= 'Z';
        hash = 5 * hash + static_cast<unsigned char>(upper ? letter - 'A' + 'a' : letter);
    }
    return hash % Header::kBuckets;
}

} // namespace mmapstress::apt
