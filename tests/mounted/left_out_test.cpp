// The ledger has exactly the bytes that faults leave out, until they are written after all.
#include "tests/json_lines.hpp"
#include "tests/mounted/faulty_test.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace partialfs::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LeftOut : public Faulty {
  protected:
    void SetUp() override {
        Faulty::SetUp();
        if (!IsSkipped()) {
            fd_ = open("file");
            write(0, std::string(8192, 'o'));
            ASSERT_EQ(error_of(::fsync(fd_)), 0);
        }
    }
    void TearDown() override {
        if (map_ != nullptr) {
            ::munmap(map_, 8192);
        }
        ::close(fd_);
        Faulty::TearDown();
    }
    void write(off_t offset, const std::string& text) const {
        EXPECT_EQ(::pwrite(fd_, text.data(), text.size(), offset), ssize_t(text.size()));
    }
    /// Sets a rule that strikes once.
    void strike(const std::string& rule) { mount_->set_faults(rule + " count=1"); }
    char* map() {
        map_ =
            static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
        EXPECT_NE(map_, MAP_FAILED);
        return map_;
    }
    /// What the ledger has as left out and not healed: OFFSET+LENGTH of bytes, OLD>NEW of sizes,
    /// and an errno.
    [[nodiscard]] std::vector<std::string> lost() const {
        std::vector<std::string> all;
        for (const json& entry : json_lines(mount_->read_control("ledger"))) {
            EXPECT_EQ(entry["kind"], "fault") << entry;
            EXPECT_EQ(entry["path"], "file") << entry;
            if (entry["healed_at"].is_null()) {
                all.push_back((entry.contains("size_was")
                                   ? entry["size_was"].dump() + ">" + entry["size_is"].dump()
                                   : entry["offset"].dump() + "+" + entry["length"].dump()) +
                              (entry["errno"].is_null() ? "" : " " + entry["errno"].dump()));
            }
        }
        return all;
    }

    int fd_ = -1;
    char* map_ = nullptr;
};

TEST_F(LeftOut, OfAWrite) {
    strike("write skip");
    write(10, "anew");
    EXPECT_THAT(lost(), ElementsAre("10+4"));
    EXPECT_EQ(error_of(::fsync(fd_)), 0);
    EXPECT_THAT(lost(), ElementsAre("10+4")) << "nothing of it was there to be written";
    write(12, "e");
    EXPECT_EQ(error_of(::fsync(fd_)), 0);
    EXPECT_THAT(lost(), ElementsAre("10+2", "13+1")) << "a byte is written again";
    write(10, "anew");
    EXPECT_EQ(error_of(::fsync(fd_)), 0);
    EXPECT_THAT(lost(), IsEmpty());
}

TEST_F(LeftOut, OfAWriteOverOneThatMemoryHolds) {
    write(100, "older");
    strike("write skip");
    write(98, "newer bytes");
    EXPECT_THAT(lost(), ElementsAre("98+11"));
    EXPECT_EQ(error_of(::fsync(fd_)), 0);
    EXPECT_EQ(on_disk("file").substr(98, 11), "ooolderoooo") << "the older one is written";
    EXPECT_THAT(lost(), ElementsAre("98+11")) << "which brings the newer one not back";
    write(98, "newer bytes");
    EXPECT_EQ(error_of(::fsync(fd_)), 0);
    EXPECT_THAT(lost(), IsEmpty());
}

TEST_F(LeftOut, OfBytesThatAreThereAlreadyNothing) {
    strike("write skip");
    write(0, "oooNooo");
    EXPECT_THAT(lost(), ElementsAre("3+1"));
}

TEST_F(LeftOut, OfADirectWrite) {
    const int direct = open("file", O_RDWR | O_DIRECT);
    alignas(4096) static char page[4096];
    std::memset(page, 'd', sizeof page);
    strike("write skip");
    EXPECT_EQ(::pwrite(direct, page, sizeof page, 4096), 4096);
    ::close(direct);
    EXPECT_EQ(lost(),
              (std::vector<std::string>{"4096+1024", "5120+1024", "6144+1024", "7168+1024"}))
        << "block by block";
    map()[5000] = 'm'; // makes the kernel write the page, with its earlier bytes
    EXPECT_EQ(error_of(::msync(map_, 8192, MS_SYNC)), 0);
    EXPECT_EQ(lost(), (std::vector<std::string>{"4096+904", "5001+119", "5120+1024", "6144+1024",
                                                "7168+1024"}));
}

TEST_F(LeftOut, OfAnAppendAlsoItsSize) {
    strike("write skip");
    write(8192, "more");
    EXPECT_THAT(lost(), ElementsAre("8192+4", "8196>8192"));
    EXPECT_EQ(error_of(::ftruncate(fd_, 8192)), 0);
    EXPECT_THAT(lost(), IsEmpty()) << "nobody wants it any more";
}

TEST_F(LeftOut, OfATruncation) {
    strike("setattr skip");
    EXPECT_EQ(error_of(::ftruncate(fd_, 100)), 0);
    EXPECT_THAT(lost(), ElementsAre("100>8192"));
    EXPECT_EQ(error_of(::ftruncate(fd_, 100)), 0);
    EXPECT_THAT(lost(), IsEmpty());
    strike("ftruncate skip");
    EXPECT_EQ(error_of(::ftruncate(fd_, 10)), 0);
    EXPECT_THAT(lost(), ElementsAre("10>100")) << "of the disk's";
    EXPECT_EQ(on_disk("file").size(), 100U);
}

TEST_F(LeftOut, OfAPunchedHole) {
    for (const char* rule : {"request:fallocate skip", "fallocate skip"}) {
        write(1000, "before");
        write(1002, std::string("\0", 1));
        EXPECT_EQ(error_of(::fsync(fd_)), 0);
        strike(rule);
        EXPECT_EQ(error_of(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 5)),
                  0);
        EXPECT_THAT(lost(), ElementsAre("1000+2", "1003+2")) << rule << ": a zero is one already";
        EXPECT_EQ(error_of(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 5)),
                  0);
        EXPECT_THAT(lost(), IsEmpty()) << rule;
    }
}

TEST_F(LeftOut, OfAPwriteOfACommit) {
    write(4000, "bytes");
    strike("pwrite skip");
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(lost(), ElementsAre("4000+5"));
    EXPECT_EQ(on_disk("file"), std::string(8192, 'o'));
    write(4000, "BYTES");
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(lost(), IsEmpty());
}

TEST_F(LeftOut, OfAPwriteThatHealedSomethingElse) {
    strike("write skip");
    write(0, "take");
    write(0, "TAKE");
    strike("pwrite skip");
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(lost(), ElementsAre("0+4")) << "it stays open";
}

TEST_F(LeftOut, OfAWritepage) {
    map()[10] = 'm';
    strike("writepage skip");
    EXPECT_EQ(error_of(::msync(map_, 8192, MS_SYNC)), 0);
    EXPECT_THAT(lost(), ElementsAre("10+1"));
    map_[11] = 'm';
    EXPECT_EQ(error_of(::msync(map_, 8192, MS_SYNC)), 0);
    EXPECT_THAT(lost(), IsEmpty()) << "the page was still in memory, and is written whole";
}

TEST_F(LeftOut, OfAWritepageThatFails) {
    map()[10] = 'm';
    strike("writepage ENOSPC");
    EXPECT_EQ(error_of(::msync(map_, 8192, MS_SYNC)), ENOSPC);
    EXPECT_THAT(lost(), ElementsAre("10+1 28")) << "the kernel calls the page clean";
    EXPECT_EQ(error_of(::msync(map_, 8192, MS_SYNC)), 0);
    EXPECT_THAT(lost(), ElementsAre("10+1 28"));
    EXPECT_EQ(mount_->write_control("evict", "file"), 0);
    EXPECT_EQ(map_[10], 'o') << "gone with the page";
}

TEST_F(LeftOut, OfATornWritepageWhatLiesBehindTheTear) {
    std::memset(map(), 'm', 4096);
    strike("writepage torn=1000");
    EXPECT_EQ(error_of(::msync(map_, 8192, MS_SYNC)), EIO);
    EXPECT_THAT(lost(), ElementsAre("1000+24 5", "1024+1024 5", "2048+1024 5", "3072+1024 5"));
    EXPECT_EQ(on_disk("file").substr(0, 4096), std::string(1000, 'm') + std::string(3096, 'o'));
}

TEST_F(LeftOut, WhatATearLetsThroughIsInTheTrace) {
    strike("write torn=3");
    EXPECT_EQ(error_of(::pwrite(fd_, "abcdef", 6, 0)), EIO);
    EXPECT_THAT(
        mount_->read_control("trace"),
        HasSubstr(R"("action":"torn","rule":1,"errno":5,"offset":0,"length":6,"amount":3)"));
    EXPECT_THAT(lost(), IsEmpty()) << "the program has been told";
}

TEST_F(LeftOut, OfAnUnlinkedFileNothing) {
    strike("write skip");
    write(10, "anew");
    write(0, "a"); // makes the journal know the file
    EXPECT_EQ(error_of(::unlink((mount_->path() / "file").c_str())), 0);
    EXPECT_THAT(lost(), IsEmpty());
}

} // namespace
} // namespace partialfs::testing
