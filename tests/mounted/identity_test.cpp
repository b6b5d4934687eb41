// Inode numbers: st_ino and d_ino. No two files of the mount share one, even if other filesystems
// and subvolumes are mounted inside SOURCE.
#include "tests/mounted/mounted_test.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace partialfs::testing {
namespace {

class Identity : public Mounted {
  protected:
    void TearDown() override {
        Mounted::TearDown();
        for (auto inner = inner_.rbegin(); inner != inner_.rend(); ++inner) {
            EXPECT_EQ(::umount2(inner->c_str(), MNT_DETACH), 0) << *inner;
        }
    }
    /// A directory of SOURCE on which another filesystem is mounted.
    std::filesystem::path mount_inside(const std::filesystem::path& name) {
        const auto directory = mount().source() / name;
        std::filesystem::create_directories(directory);
        EXPECT_EQ(::mount("none", directory.c_str(), "tmpfs", 0, "size=1M"), 0)
            << errno_name(errno);
        inner_.push_back(directory);
        return directory;
    }
    static void fill(const std::filesystem::path& directory) {
        for (int i = 0; i < 20; ++i) {
            std::ofstream(directory / ("file" + std::to_string(i))) << directory.string() << i;
        }
    }

    /// Walks a tree and checks that names of one file, and only those, share an inode number.
    class Numbers {
      public:
        explicit Numbers(std::filesystem::path root) : root_(std::move(root)) { walk(root_); }
        [[nodiscard]] const std::map<std::string, ino_t>& of_paths() const { return of_paths_; }

      private:
        static std::string contents_of(const std::filesystem::path& path) {
            std::ostringstream contents;
            contents << std::ifstream(path).rdbuf();
            return contents.str();
        }
        void walk(const std::filesystem::path& directory) {
            DIR* stream = ::opendir(directory.c_str());
            ASSERT_NE(stream, nullptr) << directory << ": " << errno_name(errno);
            while (const dirent* entry = ::readdir(stream)) {
                const std::string name = entry->d_name;
                const auto path = directory / name;
                struct stat status{};
                struct statx extended{};
                EXPECT_EQ(::lstat(path.c_str(), &status), 0);
                EXPECT_EQ(
                    ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO, &extended), 0);
                if (name == ".." && directory == root_) {
                    continue; // outside of the mount
                }
                EXPECT_EQ(extended.stx_ino, status.st_ino) << path;
                EXPECT_EQ(entry->d_ino, status.st_ino) << path;
                if (name == "." || name == "..") {
                    continue;
                }
                const std::string text =
                    S_ISDIR(status.st_mode) ? path.string() : contents_of(path);
                const auto [known, first] = texts_.emplace(status.st_ino, text);
                EXPECT_EQ(known->second, text) << path << " and another file have one number";
                of_paths_[path.lexically_relative(root_)] = status.st_ino;
                if (S_ISDIR(status.st_mode)) {
                    walk(path);
                }
            }
            ::closedir(stream);
        }

        std::filesystem::path root_;
        std::map<ino_t, std::string> texts_;
        std::map<std::string, ino_t> of_paths_;
    };

    std::vector<std::filesystem::path> inner_;
};

TEST_F(Identity, FilesOfFilesystemsMountedInsideHaveNumbersOfTheirOwn) {
    mount().stop();
    fill(mount().source());
    // Both have the same numbers underneath: each tmpfs counts from 1.
    fill(mount_inside("one"));
    fill(mount_inside("two"));
    fill(mount_inside("two/inner"));
    mount().start({"--contract", "linux-2.6.20"});
    const Numbers first(mount().path());
    EXPECT_EQ(first.of_paths().size(), 4 * 20U + 3U);
    // The kernel forgets the names, and looks them up again.
    std::ofstream("/proc/sys/vm/drop_caches") << "2";
    const Numbers again(mount().path());
    EXPECT_EQ(again.of_paths(), first.of_paths());
    struct stat status{};
    struct stat plain{};
    ASSERT_EQ(::stat((mount().path() / "file3").c_str(), &status), 0);
    ASSERT_EQ(::stat((mount().source() / "file3").c_str(), &plain), 0);
    EXPECT_EQ(status.st_ino, plain.st_ino) << "SOURCE's own files keep their numbers";
}

TEST_F(Identity, AFileMountedOnAFileHasItsOwnNumber) {
    mount().stop();
    fill(mount().source());
    const auto over = mount_inside("inner") / "file3";
    std::ofstream(over) << "over";
    const auto under = mount().source() / "file3";
    std::filesystem::create_hard_link(under, mount().source() / "link");
    ASSERT_EQ(::mount(over.c_str(), under.c_str(), nullptr, MS_BIND, nullptr), 0);
    inner_.push_back(under);
    mount().start({"--contract", "linux-2.6.20"});
    const Numbers numbers(mount().path());
    EXPECT_EQ(numbers.of_paths().at("file3"), numbers.of_paths().at("inner/file3"));
    EXPECT_NE(numbers.of_paths().at("file3"), numbers.of_paths().at("link"));
}

TEST_F(Identity, OfSubvolumesToo) {
    mount().stop();
    const std::string image = mount().temporary() / "image";
    std::ofstream(image).flush();
    std::filesystem::resize_file(image, std::uintmax_t{128} << 20U);
    if (run_program({"mkfs.btrfs", "-q", image}).code != 0) {
        GTEST_SKIP() << "mkfs.btrfs is not installed";
    }
    if (run_program({"mount", "-o", "loop", image, mount().source()}).code != 0) {
        GTEST_SKIP() << "this kernel does not mount btrfs";
    }
    inner_.push_back(mount().source());
    ASSERT_EQ(run_program({"btrfs", "-q", "subvolume", "create", mount().source() / "sub"}).code,
              0);
    fill(mount().source());
    fill(mount().source() / "sub");
    ASSERT_EQ(run_program({"btrfs", "-q", "subvolume", "snapshot", mount().source() / "sub",
                           mount().source() / "snapshot"})
                  .code,
              0);
    for (int i = 0; i < 20; ++i) {
        std::ofstream(mount().source() / "snapshot" / ("file" + std::to_string(i))) << "own" << i;
    }
    mount().start({"--contract", "linux-2.6.20"});
    EXPECT_EQ(Numbers(mount().path()).of_paths().size(), 3 * 20U + 2U);
}

} // namespace
} // namespace partialfs::testing
