// .partialfs/ledger as a file: paths, reads of any size, and its contents when it is full.
#include "tests/json_lines.hpp"
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mount.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

namespace partialfs::test {
namespace {

using testing::json_lines;

class LedgerFile : public ::testing::Test {
  protected:
    void SetUp() override {
        SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
        mount_.start(
            {"--contract", "linux-2.6.19", "--flush-policy", "eager", "--commit-interval", "0"});
    }

    void commit() {
        const int fd = ::open((mount_.path() / ".partialfs/commit").c_str(), O_WRONLY | O_CLOEXEC);
        ASSERT_GE(fd, 0);
        EXPECT_EQ(::write(fd, "1", 1), 1) << std::strerror(errno);
        ::close(fd);
    }

    /// Makes a file of '0', and loses stores of '1' to every `step`th byte of it.
    void lose(const std::string& name, std::size_t size, std::size_t step) {
        const int fd = ::open((mount_.path() / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        ASSERT_GE(fd, 0);
        const std::string zeros(size, '0');
        ASSERT_EQ(::pwrite(fd, zeros.data(), size, 0), static_cast<ssize_t>(size));
        void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ASSERT_NE(mapped, MAP_FAILED);
        auto* bytes = static_cast<volatile char*>(mapped);
        for (std::size_t at = 0; at < size; at += 4096) {
            bytes[at] = '0';
        }
        commit();
        for (std::size_t at = 0; at < size; at += step) {
            bytes[at] = '1';
        }
        EXPECT_EQ(::fsync(fd), 0) << std::strerror(errno);
        ::munmap(mapped, size);
        ::close(fd);
    }

    [[nodiscard]] std::string ledger() const {
        return read_file(mount_.path() / ".partialfs/ledger");
    }

    partialfs::testing::Mount mount_;
};

TEST_F(LedgerFile, ShowsAPathOnlyWhileItNamesTheFile) {
    lose("name (deleted)", 4096, 4096);
    EXPECT_EQ(json_lines(ledger()).at(0).at("path"), "name (deleted)");
    ASSERT_EQ(
        ::link((mount_.path() / "name (deleted)").c_str(), (mount_.path() / "second").c_str()), 0);
    ASSERT_EQ(::unlink((mount_.path() / "name (deleted)").c_str()), 0);
    ASSERT_EQ(json_lines(ledger()).size(), 1U) << "the file is still there";
    EXPECT_EQ(json_lines(ledger()).at(0).at("path"), "");
    ASSERT_EQ(::unlink((mount_.path() / "second").c_str()), 0);
    EXPECT_EQ(ledger(), "");
}

TEST_F(LedgerFile, IsReadInPartsAndSaysWhenItWasFull) {
    constexpr std::size_t kKept = 1'048'576;
    constexpr std::size_t kSize = 2 * (kKept + 4096);
    lose("file", kSize, 2); // 4096 entries more than are kept
    const int fd = ::open((mount_.path() / ".partialfs/ledger").c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    std::string head(100, '\0');
    EXPECT_EQ(::read(fd, head.data(), head.size()), 100);
    const std::string whole = ledger();
    EXPECT_EQ(head, whole.substr(0, 100));
    std::string part(5000, '\0');
    EXPECT_EQ(::pread(fd, part.data(), part.size(), 123'456), 5000);
    EXPECT_EQ(part, whole.substr(123'456, 5000));
    ::close(fd);
    EXPECT_EQ(std::ranges::count(whole, '\n'), kKept + 1);
    const auto last_line = whole.rfind('\n', whole.size() - 2) + 1;
    EXPECT_EQ(nlohmann::json::parse(whole.substr(last_line)),
              (nlohmann::json{
                  {"not_kept", 4096}, {"not_kept_bytes", 4096}, {"kept_at_most", 1'048'576}}));
    const auto status = nlohmann::json::parse(read_file(mount_.path() / ".partialfs/status"));
    EXPECT_EQ(status.at("ledger").at("open"), kKept);
    EXPECT_EQ(status.at("ledger").at("not_kept"), 4096);
}

} // namespace
} // namespace partialfs::test
