#include "fusefs/base/fd.hpp"
#include "fusefs/file/sparse_view.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace partialfs::file {
namespace {

using model::ByteOffset;

constexpr std::uint64_t kPage = model::kPageSize;

/// A file of 16 pages, of which the disk has pages 4 and 5.
class SparseViewTest : public ::testing::Test {
  protected:
    SparseViewTest()
        : file_(*base::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_RDWR | O_CREAT, 0600)) {
        const std::string text(2 * kPage, 'x');
        EXPECT_EQ(::pwrite(file_.get(), text.data(), text.size(), 4 * kPage),
                  static_cast<ssize_t>(text.size()));
        EXPECT_EQ(::ftruncate(file_.get(), kSize.value), 0);
    }
    void SetUp() override {
        if (::lseek(file_.get(), 0, SEEK_DATA) != 4 * kPage) {
            GTEST_SKIP() << "the filesystem of the temporary directory does not tell holes";
        }
    }
    void buffer(std::uint64_t offset, std::size_t size) {
        const std::string text(size, 'b');
        ASSERT_TRUE(buffers_.insert_copy(ByteOffset{offset}, std::as_bytes(std::span(text)),
                                         Epoch{1}, budget_));
    }
    std::uint64_t data(std::uint64_t from) {
        return seek_data(file_.get(), buffers_, ByteOffset{from}, kSize).value().value;
    }
    std::uint64_t hole(std::uint64_t from) {
        return seek_hole(file_.get(), buffers_, ByteOffset{from}, kSize).value().value;
    }

    static constexpr ByteOffset kSize{16 * kPage};
    partialfs::testing::TemporaryDirectory directory_;
    base::Fd file_;
    backing::FileIo io_;
    BackingFile backing_{io_, file_, true};
    BufferBudget budget_{4U << 20U};
    WriteBuffer buffers_;
};

TEST_F(SparseViewTest, OfAFileOnDiskIsTheDisks) {
    EXPECT_EQ(data(0), 4 * kPage);
    EXPECT_EQ(data(5 * kPage), 5 * kPage);
    EXPECT_EQ(seek_data(file_.get(), buffers_, ByteOffset{6 * kPage}, kSize).error().value, ENXIO);
    EXPECT_EQ(hole(0), 0);
    EXPECT_EQ(hole(4 * kPage), 6 * kPage);
}

TEST_F(SparseViewTest, CountsBufferedBytesAsData) {
    buffer(kPage, 100);
    buffer(6 * kPage, kPage);
    EXPECT_EQ(data(0), kPage);
    EXPECT_EQ(data(kPage + 50), kPage + 50);
    EXPECT_EQ(data(2 * kPage), 4 * kPage);
    EXPECT_EQ(hole(kPage), kPage + 100);
    EXPECT_EQ(hole(4 * kPage), 7 * kPage); // adjacent on disk and in the buffer
}

TEST_F(SparseViewTest, HasNoHoleButTheEndIfAllIsData) {
    buffer(0, 4 * kPage);
    buffer(6 * kPage, 10 * kPage);
    EXPECT_EQ(hole(0), kSize.value);
    EXPECT_EQ(hole(15 * kPage), kSize.value);
}

TEST_F(SparseViewTest, SpaceToComeIsWhatTheBuffersFillOfHoles) {
    buffer(10, 20);                   // page 0
    buffer(100, 20);                  // page 0 again
    buffer(4 * kPage, kPage);         // is allocated already
    buffer(5 * kPage + 1, 2 * kPage); // pages 5 (allocated), 6 and 7
    buffer(20 * kPage, 1);            // past the end
    EXPECT_EQ(space_to_come(buffers_, kSize, backing_), 4 * kPage);
}

TEST_F(SparseViewTest, SpaceToComeOfVeryManyExtentsTakesThemForHoles) {
    for (std::uint64_t page = 0; page < 300; ++page) {
        buffer(page * kPage + 10, 20); // 16 within the file, two of them on disk
    }
    EXPECT_EQ(space_to_come(buffers_, kSize, backing_), 300 * kPage);
}

} // namespace
} // namespace partialfs::file
