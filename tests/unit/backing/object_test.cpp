#include "fusefs/backing/object.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace partialfs::backing {
namespace {

class Objects : public ::testing::Test {
  protected:
    void SetUp() override {
        directory_ =
            base::Fd::open(AT_FDCWD, temporary_.path().c_str(), O_PATH | O_DIRECTORY).value();
        ASSERT_EQ(::symlinkat("nowhere", directory_.get(), "link"), 0);
        base::Fd::open(directory_.get(), "file", O_CREAT | O_WRONLY, 0600).value();
    }
    Object open(const char* name) { return std::move(open_object(directory_, name).value()); }

    testing::TemporaryDirectory temporary_;
    base::Fd directory_;
};

TEST_F(Objects, SymlinkIsOpenedItselfAndTellsItsTarget) {
    const Object link = open("link");
    EXPECT_TRUE(S_ISLNK(link.status.st_mode));
    EXPECT_EQ(link_target(link.fd), "nowhere");
    EXPECT_EQ(link_target(open("file").fd).error(), base::Errno{ENOENT});
}

TEST_F(Objects, MissingNameAnswersEnoent) {
    EXPECT_EQ(open_object(directory_, "missing").error(), base::Errno{ENOENT});
}

TEST_F(Objects, ChangesReachTheObjectAfterItsNameIsGone) {
    const Object file = open("file");
    ASSERT_EQ(::unlinkat(directory_.get(), "file", 0), 0);
    ASSERT_TRUE(change_mode(file.fd, 0640));
    ASSERT_TRUE(change_times(file.fd, {timespec{11, 12}, timespec{13, 14}}));
    const struct stat status = status_of(file.fd).value();
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
    EXPECT_EQ(status.st_nlink, 0U);
    EXPECT_EQ(status.st_atim.tv_sec, 11);
    EXPECT_EQ(status.st_mtim.tv_nsec, 14);
}

TEST_F(Objects, PathIsThatOfTheNameWhileThereIsOne) {
    const std::string below = temporary_.path();
    const Object file = open("file");
    EXPECT_EQ(path_below(file.fd, below), "file");
    EXPECT_EQ(path_below(file.fd, below + "/elsewhere"), "");
    EXPECT_EQ(path_below(file.fd, "/"), (temporary_.path() / "file").string().substr(1));
    ASSERT_EQ(::renameat(directory_.get(), "file", directory_.get(), "other"), 0);
    EXPECT_EQ(path_below(file.fd, below), "other");
    ASSERT_EQ(::unlinkat(directory_.get(), "other", 0), 0);
    EXPECT_EQ(path_below(file.fd, below), "");
}

TEST_F(Objects, PathMayEndAsTheKernelMarksADeletedName) {
    const std::string below = temporary_.path();
    ASSERT_EQ(::renameat(directory_.get(), "file", directory_.get(), "file (deleted)"), 0);
    const Object file = open("file (deleted)");
    EXPECT_EQ(path_below(file.fd, below), "file (deleted)");
    ASSERT_TRUE(add_name(file.fd, directory_, "second"));
    ASSERT_EQ(::unlinkat(directory_.get(), "file (deleted)", 0), 0);
    EXPECT_EQ(path_below(file.fd, below), "") << "it has a name, but not this one";
    // Another file now has the name that the kernel reports for the deleted one.
    base::Fd::open(directory_.get(), "file (deleted) (deleted)", O_CREAT | O_WRONLY, 0600).value();
    EXPECT_EQ(path_below(file.fd, below), "");
}

TEST_F(Objects, TimesOfASymlinkAreItsOwn) {
    const Object link = open("link");
    ASSERT_TRUE(change_times(link.fd, {timespec{0, UTIME_OMIT}, timespec{21, 22}}));
    const struct stat status = status_of(link.fd).value();
    EXPECT_EQ(status.st_mtim.tv_sec, 21);
    EXPECT_EQ(status.st_atim.tv_sec, link.status.st_atim.tv_sec);
}

TEST_F(Objects, NamesAreAddedToFilesAndToSymlinksThemselves) {
    for (const char* name : {"file", "link"}) {
        const Object object = open(name);
        ASSERT_TRUE(add_name(object.fd, directory_, "second"));
        const Object second = open("second");
        EXPECT_EQ(second.status.st_ino, object.status.st_ino);
        EXPECT_EQ(second.status.st_nlink, 2U);
        EXPECT_EQ(add_name(object.fd, directory_, "second").error(), base::Errno{EEXIST});
        ASSERT_EQ(::unlinkat(directory_.get(), "second", 0), 0);
    }
}

TEST_F(Objects, ExtendedAttributesAreSetListedReadAndRemoved) {
    const Object file = open("file");
    constexpr std::string_view kValue = "some value";
    const auto set = set_xattr(file.fd, "user.test", kValue, 0);
    if (!set && set.error() == base::Errno{ENOTSUP}) {
        GTEST_SKIP() << temporary_.path() << " has no user extended attributes";
    }
    ASSERT_TRUE(set);
    EXPECT_EQ(get_xattr(file.fd, "user.test", {}), kValue.size());
    std::string value(kValue.size(), ' ');
    EXPECT_EQ(get_xattr(file.fd, "user.test", value), kValue.size());
    EXPECT_EQ(value, kValue);
    EXPECT_EQ(get_xattr(file.fd, "user.test", std::span(value).first(2)).error(),
              base::Errno{ERANGE});
    std::string names(list_xattrs(file.fd, {}).value(), ' ');
    ASSERT_TRUE(list_xattrs(file.fd, names));
    EXPECT_NE(names.find("user.test"), std::string::npos);
    EXPECT_TRUE(remove_xattr(file.fd, "user.test"));
    EXPECT_EQ(get_xattr(file.fd, "user.test", {}).error(), base::Errno{ENODATA});
}

} // namespace
} // namespace partialfs::backing
