#include "tests/mounted/differential/operation.hpp"

#include <algorithm>
#include <array>
#include <istream>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace partialfs::differential {
namespace {

constexpr std::array<std::string_view, kKinds> kKindNames{"open",
                                                          "close",
                                                          "pwrite",
                                                          "write",
                                                          "pread",
                                                          "read",
                                                          "ftruncate",
                                                          "allocate",
                                                          "punch_hole",
                                                          "zero_range",
                                                          "copy_range",
                                                          "evict",
                                                          "find_data",
                                                          "fsync",
                                                          "fdatasync",
                                                          "sync_range",
                                                          "futimens",
                                                          "fchmod",
                                                          "map",
                                                          "unmap",
                                                          "store",
                                                          "load",
                                                          "child_store",
                                                          "msync",
                                                          "drop_pages",
                                                          "storm",
                                                          "calm",
                                                          "create",
                                                          "truncate",
                                                          "stat",
                                                          "utimens",
                                                          "chmod",
                                                          "chown",
                                                          "set_attribute",
                                                          "get_attribute",
                                                          "remove_attribute",
                                                          "list_attributes",
                                                          "mkdir",
                                                          "rmdir",
                                                          "rename",
                                                          "link",
                                                          "symlink",
                                                          "read_link",
                                                          "unlink",
                                                          "make_fifo",
                                                          "list",
                                                          "contents",
                                                          "check_all"};

constexpr std::array<std::string_view, kNames> kPaths{"a",  "b",  "c",    "d",    "e", "d0/f",
                                                      "d0", "d1", "d0/g", "d1/h", "l", "d1/d2"};

Operation parse(const std::string& line) {
    std::istringstream words(line);
    std::string kind;
    Operation operation;
    std::string label;
    words >> kind >> label >> operation.target >> label >> operation.other >> label >>
        operation.offset >> label >> operation.length >> label >> operation.value;
    if (!words) {
        throw std::runtime_error("not an operation: " + line);
    }
    operation.kind = kind_from(kind);
    return operation;
}

} // namespace

std::string_view name_of(Kind kind) {
    return kKindNames.at(static_cast<std::size_t>(kind));
}

std::string_view path_of(unsigned name) {
    return kPaths.at(name % kNames);
}

Kind kind_from(std::string_view name) {
    const auto* const found = std::ranges::find(kKindNames, name);
    if (found == kKindNames.end()) {
        throw std::runtime_error("no such operation: " + std::string(name));
    }
    return static_cast<Kind>(found - kKindNames.begin());
}

std::string text_of(const Operation& operation) {
    std::ostringstream text;
    text << name_of(operation.kind) << " target " << operation.target << " other "
         << operation.other << " offset " << operation.offset << " length " << operation.length
         << " value " << operation.value;
    return text.str();
}

std::vector<Operation> read_operations(std::istream& lines) {
    std::vector<Operation> operations;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.front() != '#') {
            operations.push_back(parse(line));
        }
    }
    return operations;
}

void write_operations(std::ostream& out, std::span<const Operation> operations) {
    for (const Operation& operation : operations) {
        out << text_of(operation) << '\n';
    }
}

} // namespace partialfs::differential
