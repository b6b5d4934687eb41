#include "fusefs/fuse/caller_capabilities.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>

#include <filesystem>
#include <fstream>

namespace partialfs::fuse {
namespace {

/// A procfs with one process, whose namespace is not the daemon's.
class CallerCapabilities : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const char* process : {"self", "7"}) {
            std::filesystem::create_directories(proc() / process / "ns");
        }
        set_namespace("self", "user:[1]");
        set_namespace("7", "user:[2]");
        // Only CAP_FSETID (4).
        write("7/status", "Name:\tsome thing\nCapPrm:\t0000000000000000\n"
                          "CapEff:\t0000000000000010\nCapBnd:\tffffffffffffffff\n");
        write("7/uid_map", "         0       1000          1\n         1     100000      65536\n");
        write("7/gid_map", "         0       2000         10\n");
    }
    [[nodiscard]] std::filesystem::path proc() const { return temporary_.path(); }
    void write(const char* name, const char* text) const { std::ofstream(proc() / name) << text; }
    void set_namespace(const char* process, const char* name) const {
        std::filesystem::remove(proc() / process / "ns/user");
        std::filesystem::create_symlink(name, proc() / process / "ns/user");
    }

    testing::TemporaryDirectory temporary_;
};

TEST_F(CallerCapabilities, CountInTheDaemonsNamespaceAlone) {
    EXPECT_FALSE(is_capable(7, CAP_FSETID, proc()));
    set_namespace("7", "user:[1]");
    EXPECT_TRUE(is_capable(7, CAP_FSETID, proc()));
    EXPECT_FALSE(is_capable(7, CAP_SYS_ADMIN, proc()));
}

TEST_F(CallerCapabilities, CountOverFilesWhoseOwnerAndGroupTheNamespaceMaps) {
    EXPECT_TRUE(is_capable_over(7, CAP_FSETID, 1000, 2009, proc()));
    EXPECT_TRUE(is_capable_over(7, CAP_FSETID, 165535, 2000, proc()));
    EXPECT_FALSE(is_capable_over(7, CAP_SYS_ADMIN, 1000, 2000, proc()));
    EXPECT_FALSE(is_capable_over(7, CAP_FSETID, 1001, 2000, proc()));
    EXPECT_FALSE(is_capable_over(7, CAP_FSETID, 165536, 2000, proc()));
    EXPECT_FALSE(is_capable_over(7, CAP_FSETID, 1000, 2010, proc()));
    EXPECT_FALSE(is_capable_over(7, CAP_FSETID, 1000, 0, proc()));
}

TEST_F(CallerCapabilities, NobodyHasAnyWhomProcDoesNotShow) {
    EXPECT_FALSE(is_capable(0, CAP_FSETID, proc()));
    EXPECT_FALSE(is_capable_over(8, CAP_FSETID, 1000, 2000, proc()));
    std::filesystem::remove(proc() / "7/status");
    EXPECT_FALSE(is_capable_over(7, CAP_FSETID, 1000, 2000, proc()));
}

} // namespace
} // namespace partialfs::fuse
