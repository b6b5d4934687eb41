// An invented Debian release, the same for the same seed: what apt would read from its index files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mmapstress::apt {

struct Relation {
    std::string package;
    std::string version;      ///< empty: any version
    std::uint8_t type = 0;    ///< 1 Depends, 4 Recommends, 6 Conflicts
    std::uint8_t compare = 0; ///< 0 any, 2 >=
};

/// One paragraph of an index file.
struct Stanza {
    std::string package;
    std::string version;
    std::string section;
    std::uint32_t size = 0;
    std::uint8_t priority = 0; ///< 1 required to 5 extra
    std::vector<Relation> relations;
    std::vector<std::string> provides;
    bool installed = false;
    std::uint32_t position = 0; ///< of the paragraph in its file
    std::uint32_t length = 0;   ///< of the paragraph
};

struct IndexFile {
    std::string name;
    std::string component;
    std::vector<Stanza> stanzas;
};

struct Distribution {
    std::vector<IndexFile> files;
};

/// `packages` packages in two archive indexes, about a third of them installed and therefore also
/// in the third file, dpkg's status. Pure: the same arguments give the same release.
Distribution make_distribution(std::uint64_t seed, std::size_t packages);

} // namespace mmapstress::apt
