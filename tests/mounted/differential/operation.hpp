// The operations of a differential run, and their text form: a list of them is a test case that can
// be kept, shortened and run again.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::differential {

enum class Kind : std::uint8_t {
    // Handles. `target`: the slot of the handle.
    open,  // `other`: name; `value`: row of kOpenFlags
    close, //
    // Data, through the handle `target`. `value` seeds the bytes.
    pwrite,
    write, // at the end if the handle has O_APPEND, else at its position
    pread,
    read,
    ftruncate,  // to `offset`
    allocate,   // fallocate(2) that allocates; odd `value`: FALLOC_FL_KEEP_SIZE
    punch_hole, //
    zero_range, //
    copy_range, // copy_file_range(2) from handle `other` at `value` pages to `offset`
    evict,      // POSIX_FADV_DONTNEED
    find_data,  // SEEK_DATA and SEEK_HOLE over the whole file, and st_blocks
    fsync,
    fdatasync,
    sync_range,
    futimens, // `value`: row of kTimes
    fchmod,
    // Mappings. `target`: the slot of the mapping.
    map, // of handle `other`; odd `value`: read-only
    unmap,
    store,
    load,
    child_store, // by a child process that has inherited the mapping
    msync,       // odd `value`: MS_ASYNC
    drop_pages,  // MADV_DONTNEED
    storm,       // a thread stores into the first page again and again, until `calm`
    calm,
    // Names. `target` and `other` are names.
    create, // open(O_CREAT), write, close: what most programs do
    truncate,
    stat,
    utimens,
    chmod,
    chown,
    set_attribute, // `other`: which; `length`: bytes of the value
    get_attribute,
    remove_attribute,
    list_attributes,
    mkdir,
    rmdir,
    rename, // `value`: 0 plain, 1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE
    link,
    symlink,
    read_link,
    unlink,
    make_fifo,
    list,
    contents, // the whole file by its name
    // The whole directory: every name's attributes and bytes.
    check_all,
};
constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::check_all) + 1;

/// Every number is valid in every field: a thing that does not exist is a valid case, too. So any
/// part of a list of operations is a list of operations.
struct Operation {
    Kind kind = Kind::check_all;
    unsigned target = 0;
    unsigned other = 0;
    std::int64_t offset = 0;
    std::int64_t length = 0;
    unsigned value = 0;
};

[[nodiscard]] std::string_view name_of(Kind kind);
/// "pwrite target 2 other 0 offset 4096 length 100 value 7".
[[nodiscard]] std::string text_of(const Operation& operation);
/// One operation a line. Throws std::runtime_error that quotes the first invalid line.
[[nodiscard]] std::vector<Operation> read_operations(std::istream& lines);
void write_operations(std::ostream& out, std::span<const Operation> operations);
/// Throws std::runtime_error if no kind has the name.
[[nodiscard]] Kind kind_from(std::string_view name);

/// The names that operations use, below the directory of a case.
[[nodiscard]] std::string_view path_of(unsigned name);

constexpr unsigned kFileNames = 6; ///< the names 0 to 5 mostly refer to files
constexpr unsigned kNames = 12;
constexpr unsigned kHandles = 6;
constexpr unsigned kMappings = 4;

} // namespace partialfs::differential
