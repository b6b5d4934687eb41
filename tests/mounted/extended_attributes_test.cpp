// Extended attributes and POSIX ACLs, on the mount as on a plain directory.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace partialfs::testing {
namespace {

using ExtendedAttributes = Mounted;

TEST_F(ExtendedAttributes, AreSetListedReadAndRemoved) {
    expect_same(mount(), [](Script& s) {
        s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        ::symlink("file", s.at("link").c_str());
        const std::string big(3000, 'v');
        for (const char* name : {"file", "dir", "link"}) {
            const std::string path = s.at(name);
            const auto set = [&](const char* key, std::string_view value, int flags) {
                s.call(std::string("set ") + key + " of " + name,
                       ::lsetxattr(path.c_str(), key, value.data(), value.size(), flags));
            };
            const auto get = [&](const char* key, std::size_t room) {
                std::string value(room, '\0');
                const long count = s.call(std::string("get ") + key,
                                          ::lgetxattr(path.c_str(), key, value.data(), room));
                if (room != 0 && count > 0) {
                    s.note(value.substr(0, static_cast<std::size_t>(count)));
                }
            };
            set("user.a", "value", 0);
            set("user.a", "again", XATTR_CREATE);
            set("user.b", "none", XATTR_REPLACE);
            set("user.a", "replaced", XATTR_REPLACE);
            set("user.empty", "", 0);
            set("user.big", big, 0);
            set("trusted.t", "t", 0);
            set("security.s", "s", 0);
            set("system.nonsense", "s", 0);
            set("nonsense", "s", 0);
            get("user.a", 100);
            get("user.a", 0);
            get("user.a", 2);
            get("user.empty", 10);
            get("user.none", 10);
            get("user.big", 3000);
            get("trusted.t", 10);
            std::string names(1000, '\0');
            const long length =
                s.call("list", ::llistxattr(path.c_str(), names.data(), names.size()));
            s.call("list size", ::llistxattr(path.c_str(), nullptr, 0));
            s.call("list small", ::llistxattr(path.c_str(), names.data(), 2));
            std::ranges::replace(names, '\0', ' ');
            s.note(names.substr(0, static_cast<std::size_t>(std::max(length, 0L))));
            s.call("remove", ::lremovexattr(path.c_str(), "user.a"));
            s.call("remove again", ::lremovexattr(path.c_str(), "user.a"));
        }
    });
}

/// A POSIX ACL as setxattr(2) takes it: version 2, then tag, permissions and id of each entry.
std::string acl(std::initializer_list<std::array<unsigned, 3>> entries) {
    std::string bytes("\x02\0\0\0", 4);
    for (const auto& [tag, permissions, id] : entries) {
        const std::array<unsigned char, 8> entry{static_cast<unsigned char>(tag),
                                                 0,
                                                 static_cast<unsigned char>(permissions),
                                                 0,
                                                 static_cast<unsigned char>(id & 0xFFU),
                                                 static_cast<unsigned char>((id >> 8U) & 0xFFU),
                                                 static_cast<unsigned char>((id >> 16U) & 0xFFU),
                                                 static_cast<unsigned char>((id >> 24U) & 0xFFU)};
        bytes.append(entry.begin(), entry.end());
    }
    return bytes;
}
constexpr unsigned kNobody = 0xFFFFFFFF;
/// user::rwx user:1001:r-x group::r-x mask::rwx other::---
const std::string kAcl = acl({{{0x01, 7, kNobody}},
                              {{0x02, 5, 1001}},
                              {{0x04, 5, kNobody}},
                              {{0x10, 7, kNobody}},
                              {{0x20, 0, kNobody}}});

void note_acl(Script& s, std::string_view name, const char* kind) {
    std::string value(200, '\0');
    const long count = s.call(std::string(name) + " " + kind,
                              ::getxattr(s.at(name).c_str(), kind, value.data(), value.size()));
    std::string hex;
    for (long i = 0; i < count; ++i) {
        hex += std::to_string(static_cast<unsigned char>(value[static_cast<std::size_t>(i)])) + " ";
    }
    s.note(hex);
}

void note_acls(Script& s, std::string_view name) {
    s.stat(name);
    note_acl(s, name, "system.posix_acl_access");
    note_acl(s, name, "system.posix_acl_default");
}

void set_acl(Script& s, std::string_view name, const char* kind) {
    s.call(std::string("set ") + kind + " of " + std::string(name),
           ::setxattr(s.at(name).c_str(), kind, kAcl.data(), kAcl.size(), 0));
}

TEST_F(ExtendedAttributes, AclsAreKeptInheritedAndObeyed) {
    const auto prepare = [](Script& s) {
        ::mkdir(s.at("dir").c_str(), 0755);
        set_acl(s, "dir", "system.posix_acl_access");
        set_acl(s, "dir", "system.posix_acl_default");
        s.open("dir/inherits", O_CREAT | O_RDWR, 0666);
        ::mkdir(s.at("dir/sub").c_str(), 0777);
        s.open("dir/sub/deep", O_CREAT | O_RDWR, 0640);
        s.open("plain", O_CREAT | O_RDWR, 0600);
        set_acl(s, "plain", "system.posix_acl_access");
        set_acl(s, "plain", "system.posix_acl_default");
        ::chmod(s.at("plain").c_str(), 0710);
    };
    expect_same(mount(), [&](Script& s) {
        prepare(s);
        for (const char* name : {"dir", "dir/inherits", "dir/sub", "dir/sub/deep", "plain"}) {
            note_acls(s, name);
        }
        s.call("remove", ::removexattr(s.at("plain").c_str(), "system.posix_acl_access"));
        note_acls(s, "plain");
    });
    for (const uid_t uid : {uid_t{1001}, uid_t{1002}}) {
        User user = ordinary_user();
        user.uid = uid;
        user.gid = uid;
        user.groups = {};
        expect_same_as(mount(), user, prepare, [](Script& s) {
            s.open("dir/inherits", O_RDONLY);
            s.open("dir/inherits", O_RDWR);
            s.open("dir/new", O_CREAT | O_RDWR, 0666);
            s.list("dir/sub");
            s.open("plain", O_RDONLY);
            set_acl(s, "plain", "system.posix_acl_access");
        });
    }
}

TEST_F(ExtendedAttributes, UmaskIsIgnoredWhereADefaultAclRules) {
    const auto prepare = [](Script& s) {
        ::mkdir(s.at("dir").c_str(), 0777);
        ::chmod(s.at("dir").c_str(), 0777);
        const std::string open_to_all =
            acl({{{0x01, 7, kNobody}}, {{0x04, 7, kNobody}}, {{0x20, 7, kNobody}}});
        s.call("default", ::setxattr(s.at("dir").c_str(), "system.posix_acl_default",
                                     open_to_all.data(), open_to_all.size(), 0));
    };
    User user = ordinary_user();
    user.umask = 077;
    expect_same_as(mount(), user, prepare, [](Script& s) {
        s.open("dir/file", O_CREAT | O_RDWR, 0666);
        s.call("mkdir", ::mkdir(s.at("dir/sub").c_str(), 0777));
        s.call("mknod", ::mknod(s.at("dir/fifo").c_str(), S_IFIFO | 0666, 0));
        s.open("file", O_CREAT | O_RDWR, 0666);
        s.tree();
    });
}

TEST_F(ExtendedAttributes, TrustedOnesAreShownToRootAlone) {
    const auto prepare = [](Script& s) {
        s.open("file", O_CREAT | O_RDWR, 0644);
        for (const char* name : {"trusted.first", "user.a", "trusted.t", "user.b"}) {
            s.call(name, ::setxattr(s.at("file").c_str(), name, "v", 1, 0));
        }
    };
    User root;
    for (const User& user : {root, ordinary_user()}) {
        expect_same_as(mount(), user, prepare, [](Script& s) {
            std::string names(1000, '\0');
            for (const std::size_t room : {std::size_t{1000}, std::size_t{14}, std::size_t{5}}) {
                const long length =
                    s.call("list", ::listxattr(s.at("file").c_str(), names.data(), room));
                std::string shown = names.substr(0, static_cast<std::size_t>(std::max(length, 0L)));
                std::ranges::replace(shown, '\0', ' ');
                s.note(shown);
            }
            s.call("size", ::listxattr(s.at("file").c_str(), nullptr, 0));
        });
    }
}

TEST_F(ExtendedAttributes, AnAclSetFromOutsideTheGroupTakesSetgidAway) {
    const auto prepare = [](Script& s) {
        for (const auto& [name, group] : {std::pair{"foreign", 3001}, std::pair{"own", 2001}}) {
            s.open(name, O_CREAT | O_RDWR, 0755);
            ::chown(s.at(name).c_str(), 1001, static_cast<gid_t>(group));
            ::chmod(s.at(name).c_str(), 02755);
        }
    };
    expect_same_as(mount(), ordinary_user(), prepare, [](Script& s) {
        for (const char* name : {"foreign", "own"}) {
            set_acl(s, name, "system.posix_acl_access");
            note_acls(s, name);
        }
    });
}

} // namespace
} // namespace partialfs::testing
