#include "fusefs/backing/directory_stream.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>
#include <set>

namespace partialfs::backing {
namespace {

class Streams : public ::testing::Test {
  protected:
    void SetUp() override {
        for (int i = 0; i < kFiles; ++i) {
            std::ofstream(temporary_ / ("file" + std::to_string(i)));
        }
        const base::Fd object =
            base::Fd::open(AT_FDCWD, temporary_.path().c_str(), O_PATH | O_DIRECTORY).value();
        stream_.emplace(DirectoryStream::open(object).value());
    }

    static constexpr int kFiles = 300;
    testing::TemporaryDirectory temporary_;
    std::optional<DirectoryStream> stream_;
};

TEST_F(Streams, EveryEntryComesOnceThenNothing) {
    std::set<std::string> names;
    off_t position = 0;
    while (const auto entry = stream_->at(position).value()) {
        EXPECT_TRUE(names.insert(entry->name).second) << entry->name << " came twice";
        if (entry->name == "file0") {
            EXPECT_TRUE(entry->type == S_IFREG || entry->type == 0);
        }
        position = entry->next;
    }
    EXPECT_EQ(names.size(), std::size_t{kFiles} + 2);
    EXPECT_FALSE(stream_->at(position).value()) << "the end stays the end";
}

TEST_F(Streams, PositionsMayBeReturnedToInAnyOrder) {
    std::map<off_t, std::string> by_position;
    off_t position = 0;
    while (const auto entry = stream_->at(position).value()) {
        by_position[position] = entry->name;
        position = entry->next;
    }
    for (auto at = by_position.rbegin(); at != by_position.rend(); ++at) {
        EXPECT_EQ(stream_->at(at->first).value()->name, at->second);
    }
}

TEST_F(Streams, AnEntryPutBackComesAgainAtItsPositionOnly) {
    const DirectoryEntry first = stream_->at(0).value().value();
    const DirectoryEntry second = stream_->at(first.next).value().value();
    stream_->put_back(second, first.next);
    EXPECT_EQ(stream_->at(first.next).value()->name, second.name);
    stream_->put_back(second, first.next);
    EXPECT_EQ(stream_->at(0).value()->name, first.name);
    EXPECT_EQ(stream_->at(first.next).value()->name, second.name);
    EXPECT_NE(stream_->at(second.next).value()->name, second.name);
}

TEST(Stream, AFileIsNoDirectory) {
    const testing::TemporaryDirectory temporary;
    std::ofstream(temporary / "file");
    const base::Fd file = base::Fd::open(AT_FDCWD, (temporary / "file").c_str(), O_PATH).value();
    EXPECT_EQ(DirectoryStream::open(file).error(), base::Errno{ENOTDIR});
}

} // namespace
} // namespace partialfs::backing
