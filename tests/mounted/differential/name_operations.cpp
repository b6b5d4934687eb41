// Operations on names: directories, links, attributes.
#include "tests/mounted/differential/executor.hpp"

#include <dirent.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>

namespace partialfs::differential {
namespace {

constexpr std::array<mode_t, 6> kModes{0644, 0600, 0755, 04755, 02755, 0400};
/// Each write(2) takes it away.
constexpr std::string_view kCapabilities = XATTR_NAME_CAPS;
constexpr std::array kAttributes{"user.a", "user.b", "user.long.name.of.an.attribute",
                                 XATTR_NAME_CAPS};
constexpr std::size_t kAttributeBytes = 65536;

/// What most programs do: create a file, write it, close it; some then set its times.
void create(World& world, const Operation& operation) {
    const auto path = [&](Side side) { return world.path(side, operation.target); };
    const Identity before = identity_of(path(Side::plain), true);
    if (world.is_stormy(before)) {
        return;
    }
    const int flags =
        O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (operation.value % 4 == 0 ? O_EXCL : O_TRUNC);
    const auto bytes = pattern(operation.value, 0, operation.length);
    Both<base::Fd> fd;
    const bool opened =
        world.checks().same("create", answers_of([&](Side side) {
                                fd[side] = base::Fd(::open(path(side).c_str(), flags, 0644));
                                return fd[side] ? 0 : -1;
                            }));
    if (!opened) {
        return;
    }
    (void)world.checks().same("create, write", answers_of([&](Side side) {
                                  return ::write(fd[side].get(), bytes.data(), bytes.size());
                              }));
    const Identity file = identity_of(fd.plain.get());
    if (before == Identity{}) {
        world.times().created(file);
    }
    (void)world.checks().same("create, close",
                              answers_of([&](Side side) { return ::close(fd[side].release()); }));
    if (operation.value % 3 != 0) {
        const TimesToSet set = times_to_set(operation.value);
        (void)world.checks().same("create, utimensat", answers_of([&](Side side) {
                                      return ::utimensat(AT_FDCWD, path(side).c_str(),
                                                         set.times.data(), 0);
                                  }));
        if (set.sets_modified()) {
            world.times().set(file);
        }
    }
}

void truncate(World& world, const Operation& operation) {
    if (world.is_stormy(identity_of(world.path(Side::plain, operation.target), true))) {
        return;
    }
    (void)world.checks().same("truncate", answers_of([&](Side side) {
                                  return ::truncate(world.path(side, operation.target).c_str(),
                                                    operation.offset);
                              }));
}

void set_times(World& world, const Operation& operation) {
    const TimesToSet set = times_to_set(operation.value);
    const Identity file = identity_of(world.path(Side::plain, operation.target), false);
    const bool done = world.checks().same(
        "utimensat", answers_of([&](Side side) {
            return ::utimensat(AT_FDCWD, world.path(side, operation.target).c_str(),
                               set.times.data(), AT_SYMLINK_NOFOLLOW);
        }));
    if (!done) {
        return;
    }
    if (set.sets_modified() && !world.is_stormy(file)) {
        world.times().set(file);
    }
    Both<struct stat> read_again;
    for (const Side side : kSides) {
        ::lstat(world.path(side, operation.target).c_str(), &read_again[side]);
    }
    // Only regular files: a neighbour may just have read a symbolic link or a directory. And no
    // storm: faults in a mapping read a file's pages, which the daemon cannot tell from read(2).
    if (set.sets_access_exactly() && S_ISREG(read_again.plain.st_mode) && !world.is_stormy(file)) {
        const auto accessed =
            for_both([&](Side side) { return stamp_of(read_again[side].st_atim); });
        world.checks().require(Check::times, accessed.mounted == accessed.plain,
                               "utimensat: not the access time that was set: " +
                                   std::to_string(accessed.mounted));
    }
}

/// Where a file has both capabilities and setuid, FUSE's requests before a write(2) are those of a
/// chown(2) of nothing (fusefs/fuse/set_id_bits.hpp): no file here has both.
bool has_set_id(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
}
bool has_capabilities(const std::string& path) {
    return ::lgetxattr(path.c_str(), XATTR_NAME_CAPS, nullptr, 0) > 0;
}

/// The value to which an operation sets the attribute `name`.
std::vector<char> value_of(std::string_view name, const Operation& operation) {
    if (name != kCapabilities) {
        return pattern(operation.value, 0, operation.length % 400);
    }
    vfs_cap_data capability{};
    capability.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
    capability.data[0].permitted = operation.value % 4096;
    std::vector<char> bytes(XATTR_CAPS_SZ_2);
    std::memcpy(bytes.data(), &capability, bytes.size());
    return bytes;
}

void set_attribute(World& world, const Operation& operation) {
    const char* name = kAttributes.at(operation.other % kAttributes.size());
    const auto value = value_of(name, operation);
    const int flags = operation.value % 5 == 0   ? XATTR_CREATE
                      : operation.value % 5 == 1 ? XATTR_REPLACE
                                                 : 0;
    (void)world.checks().same("lsetxattr", answers_of([&](Side side) {
                                  const std::string path = world.path(side, operation.target);
                                  return name == kCapabilities && has_set_id(path)
                                             ? 0
                                             : ::lsetxattr(path.c_str(), name, value.data(),
                                                           value.size(), flags);
                              }));
}

void get_attribute(World& world, const Operation& operation) {
    const char* name = kAttributes.at(operation.other % kAttributes.size());
    const std::size_t size = operation.value % 3 == 0
                                 ? static_cast<std::size_t>(operation.length % 400)
                                 : kAttributeBytes;
    Both<std::string> values;
    const auto answers = answers_of([&](Side side) {
        values[side].resize(size);
        const ssize_t got = ::lgetxattr(world.path(side, operation.target).c_str(), name,
                                        values[side].data(), size);
        values[side].resize(size == 0 ? 0 : static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return got;
    });
    if (world.checks().same("lgetxattr", answers)) {
        world.checks().same_text("lgetxattr", values);
    }
}

void list_attributes(World& world, const Operation& operation) {
    Both<std::string> lists;
    const auto answers = answers_of([&](Side side) {
        std::string& list = lists[side];
        list.resize(kAttributeBytes);
        const ssize_t got =
            ::llistxattr(world.path(side, operation.target).c_str(), list.data(), list.size());
        list.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return got;
    });
    if (world.checks().same("llistxattr", answers)) {
        world.checks().same_text("llistxattr", lists);
    }
}

void read_link(World& world, const Operation& operation) {
    Both<std::string> texts;
    const auto answers = answers_of([&](Side side) {
        std::string& text = texts[side];
        text.resize(256);
        const ssize_t got =
            ::readlink(world.path(side, operation.target).c_str(), text.data(), text.size());
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return got;
    });
    if (world.checks().same("readlink", answers)) {
        world.checks().same_text("readlink", texts);
    }
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

/// Names and types, sorted by name; on the mount each entry's inode number must be its file's.
void list(World& world, const Operation& operation) {
    Both<std::string> names;
    const auto answers = answers_of([&](Side side) {
        const std::string path = world.path(side, operation.target);
        const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
        if (!directory) {
            return -1;
        }
        std::map<std::string, unsigned> entries;
        while (const dirent* entry = ::readdir(directory.get())) {
            const std::string name = static_cast<const char*>(entry->d_name);
            entries[name] = entry->d_type;
            struct stat status{};
            if (name != ".." && ::lstat((path + '/' + name).c_str(), &status) == 0) {
                world.checks().require(Check::inodes, status.st_ino == entry->d_ino,
                                       "list: " + name + " has the inode number " +
                                           std::to_string(status.st_ino) + " and is listed with " +
                                           std::to_string(entry->d_ino));
            }
        }
        std::ostringstream text;
        for (const auto& [name, type] : entries) {
            text << name << ' ' << type << ' ';
        }
        names[side] = text.str();
        return 0;
    });
    if (world.checks().same("opendir", answers)) {
        world.checks().same_text("readdir", names);
    }
}

void contents(World& world, const Operation& operation) {
    Both<base::Fd> fd;
    const auto answers = answers_of([&](Side side) {
        fd[side] = base::Fd(
            ::open(world.path(side, operation.target).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        return fd[side] ? 0 : -1;
    });
    struct stat status{};
    if (world.checks().same("contents, open", answers) && ::fstat(fd.plain.get(), &status) == 0 &&
        S_ISREG(status.st_mode)) {
        compare_contents(world, "contents of " + std::string(path_of(operation.target)),
                         {fd.mounted.get(), fd.plain.get()});
    }
}

/// The operations that are one system call on one or two names. Returns its result.
int call_on_names(const Operation& operation, const std::string& target, const std::string& other) {
    switch (operation.kind) {
    case Kind::chmod:
        return ::chmod(target.c_str(), kModes.at(operation.value % kModes.size()) &
                                           (has_capabilities(target) ? 0777U : 07777U));
    case Kind::chown:
        return ::lchown(target.c_str(), operation.value % 2 != 0 ? 1001 : 0,
                        operation.value % 3 != 0 ? 1001 : 0);
    case Kind::remove_attribute:
        return ::lremovexattr(target.c_str(), kAttributes.at(operation.other % kAttributes.size()));
    case Kind::mkdir:
        return ::mkdir(target.c_str(), 0755);
    case Kind::rmdir:
        return ::rmdir(target.c_str());
    case Kind::rename:
        return ::renameat2(AT_FDCWD, target.c_str(), AT_FDCWD, other.c_str(), operation.value % 3);
    case Kind::link:
        return ::link(target.c_str(), other.c_str());
    case Kind::symlink:
        return ::symlink(std::string(path_of(operation.other)).c_str(), target.c_str());
    case Kind::unlink:
        return ::unlink(target.c_str());
    case Kind::make_fifo:
        return ::mkfifo(target.c_str(), 0644);
    default:
        return 0; // stat: done by the comparison that follows
    }
}

void call(World& world, const Operation& operation) {
    (void)world.checks().same(name_of(operation.kind), answers_of([&](Side side) {
                                  return call_on_names(operation,
                                                       world.path(side, operation.target),
                                                       world.path(side, operation.other));
                              }));
    if (operation.kind == Kind::rename || operation.kind == Kind::link) {
        world.look_at(name_of(operation.kind), operation.other);
        world.look_at_parent(name_of(operation.kind), operation.other);
    }
}

} // namespace

void execute_on_name(World& world, const Operation& operation) {
    switch (operation.kind) {
    case Kind::create:
        create(world, operation);
        break;
    case Kind::truncate:
        truncate(world, operation);
        break;
    case Kind::utimens:
        set_times(world, operation);
        break;
    case Kind::set_attribute:
        set_attribute(world, operation);
        break;
    case Kind::get_attribute:
        get_attribute(world, operation);
        break;
    case Kind::list_attributes:
        list_attributes(world, operation);
        break;
    case Kind::read_link:
        read_link(world, operation);
        break;
    case Kind::list:
        list(world, operation);
        break;
    case Kind::contents:
        contents(world, operation);
        break;
    default:
        call(world, operation);
        break;
    }
    world.look_at(name_of(operation.kind), operation.target);
    world.look_at_parent(name_of(operation.kind), operation.target);
}

} // namespace partialfs::differential
