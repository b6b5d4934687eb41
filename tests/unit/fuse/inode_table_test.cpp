#include "fusefs/fuse/inode_table.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace partialfs::fuse {
namespace {

using backing::Object;
using base::Fd;

class Table : public ::testing::Test {
  protected:
    void SetUp() override {
        directory_ = Fd::open(AT_FDCWD, temporary_.path().c_str(), O_PATH | O_DIRECTORY).value();
        std::ofstream(temporary_ / "file");
        std::filesystem::create_directory(temporary_ / "directory");
        root_ = table_.add_root(
            Object{Fd::open(AT_FDCWD, temporary_.path().c_str(), O_PATH | O_DIRECTORY).value(),
                   backing::status_of(directory_).value()});
    }
    Object open(const char* name) {
        return std::move(backing::open_object(directory_, name).value());
    }
    std::shared_ptr<Inode> remember(const char* name) {
        return table_.remember(open(name), root_->id(), name);
    }

    testing::TemporaryDirectory temporary_;
    Fd directory_;
    int data_made_ = 0;
    Inode::MakeData make_data_ = [this](model::InodeId, const Fd&, const struct stat& status) {
        EXPECT_TRUE(S_ISREG(status.st_mode));
        ++data_made_;
        return nullptr;
    };
    InodeTable table_{make_data_};
    std::shared_ptr<Inode> root_;
};

TEST_F(Table, TheRootIsNumberOneForEver) {
    EXPECT_EQ(root_->id(), model::InodeId{1});
    table_.forget(root_->id(), 1000);
    EXPECT_EQ(table_.root(), root_);
}

TEST_F(Table, HardLinksAreOneInode) {
    ASSERT_EQ(::linkat(directory_.get(), "file", directory_.get(), "link", 0), 0);
    const auto file = remember("file");
    EXPECT_EQ(remember("link"), file);
    EXPECT_EQ(table_.known(), 2U);
    EXPECT_NE(remember("directory"), file);
}

TEST_F(Table, OnlyRegularFilesHaveData) {
    remember("directory");
    EXPECT_EQ(data_made_, 0);
    remember("file");
    remember("file");
    EXPECT_EQ(data_made_, 1);
}

TEST_F(Table, AnInodeIsForgottenWhenAllLookupsAreGivenBack) {
    const model::InodeId id = remember("file")->id();
    remember("file");
    table_.forget(id, 1);
    EXPECT_NE(table_.find(id), nullptr);
    table_.forget(id, 1);
    EXPECT_EQ(table_.find(id), nullptr);
    table_.forget(id, 1); // ignored
    EXPECT_NE(remember("file")->id(), id) << "numbers are never used again";
}

TEST_F(Table, AForgottenInodeThatSomebodyHoldsIsTheSameAgain) {
    auto file = remember("file");
    const model::InodeId id = file->id();
    const BackingKey key = file->key();
    table_.forget(id, 1);
    EXPECT_EQ(table_.find(id), nullptr) << "the kernel does not know it any more";
    EXPECT_EQ(table_.find(key), file) << "but it lives";
    EXPECT_EQ(remember("file"), file);
    EXPECT_EQ(table_.find(id), file);
    table_.forget(id, 1);
    file.reset();
    EXPECT_EQ(table_.find(key), nullptr);
}

TEST_F(Table, InodesMayOutliveTheTable) {
    std::shared_ptr<Inode> survivor;
    {
        InodeTable table(make_data_);
        table.add_root(open("."));
        survivor = table.remember(open("file"), root_->id(), "file");
    }
    EXPECT_TRUE(survivor->is_regular());
}

TEST_F(Table, TheLimitIsToldWheneverItIsReached) {
    int told = 0;
    table_.set_limit(2, [&] { ++told; });
    const model::InodeId id = remember("file")->id();
    EXPECT_EQ(told, 1);
    table_.forget(id, 1);
    EXPECT_EQ(told, 1);
    remember("file");
    remember("directory");
    EXPECT_EQ(told, 3);
}

TEST_F(Table, WhatTheJournalKeepsCountsToTheLimitAsWell) {
    int told = 0;
    table_.set_limit(3, [&] { ++told; });
    const auto kept = remember("file");
    table_.forget(kept->id(), 1);
    EXPECT_EQ(table_.known(), 1U);
    EXPECT_EQ(table_.living(), 2U);
    remember("directory");
    EXPECT_EQ(told, 1);
}

TEST_F(Table, ThoseThatAreHeldOpenHoldUpNobody) {
    constexpr std::size_t kLimit = 16;
    int told = 0;
    table_.set_limit(kLimit, [&] { ++told; });
    std::vector<std::shared_ptr<Inode>> held;
    const auto hold = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string name = "held" + std::to_string(held.size());
            std::ofstream(temporary_ / name).flush();
            held.push_back(remember(name.c_str()));
        }
    };
    hold(kLimit + kLimit / 4);
    EXPECT_TRUE(table_.crowded());
    EXPECT_TRUE(table_.longest_unused(100, true).empty());
    table_.reclaim_ended();
    EXPECT_FALSE(table_.crowded()) << "none of them could be done without";
    told = 0;
    remember("held0");
    EXPECT_EQ(told, 0) << "nor is there anything new to ask for";
    hold(1);
    EXPECT_EQ(told, 1);
    EXPECT_FALSE(table_.crowded());
    hold(kLimit / 4);
    EXPECT_TRUE(table_.crowded()) << "much has come since";
    table_.reclaim_ended();
    for (const auto& inode : held) {
        table_.forget(inode->id(), 2);
    }
    held.clear();
    table_.reclaim_ended();
    hold(kLimit + kLimit / 4);
    EXPECT_TRUE(table_.crowded()) << "the limit is what it was";
}

TEST_F(Table, RoomIsAskedForAgainAsACommitMayHaveToEndFirst) {
    int told = 0;
    table_.set_limit(100, [&] {
        if (++told == 3) {
            table_.forget(model::InodeId{2}, 1);
        }
    });
    ASSERT_EQ(remember("file")->id(), model::InodeId{2});
    EXPECT_TRUE(table_.make_room());
    EXPECT_EQ(told, 3);
    EXPECT_FALSE(table_.make_room()) << "only the root is left";
}

TEST_F(Table, AWaitEndsWhenEnoughHaveGone) {
    auto file = remember("file");
    EXPECT_FALSE(table_.wait_until_living(1, std::chrono::milliseconds(1)));
    table_.forget(file->id(), 1);
    std::thread holder([&] { file.reset(); });
    EXPECT_TRUE(table_.wait_until_living(1, std::chrono::hours(1)));
    holder.join();
}

TEST_F(Table, AnInodeForgottenAndFoundAgainIsAskedForOnce) {
    auto held = remember("file");
    table_.forget(held->id(), 1);
    remember("file");
    held.reset();
    EXPECT_EQ(table_.longest_unused(10, false).size(), 1U);
}

TEST_F(Table, ObjectsOfOneFilesystemKeepTheirNumbers) {
    const auto file = remember("file");
    EXPECT_EQ(file->number(), file->key().number);
    EXPECT_EQ(table_.number_of(file->key()), file->number());
}

TEST_F(Table, WhatNobodyUsesIsToldByItsLastNameAndOnce) {
    for (const char* name : {"a", "b", "c"}) {
        std::ofstream(temporary_ / name).flush();
        remember(name);
    }
    remember("directory");
    const auto held = remember("b");
    remember("a"); // used again, so no longer the oldest
    const auto names = table_.longest_unused(10, false);
    ASSERT_EQ(names.size(), 1U);
    EXPECT_EQ(names.front().name, "c");
    EXPECT_EQ(names.front().parent, root_->id());
    const auto later = table_.longest_unused(10, false);
    ASSERT_EQ(later.size(), 1U) << "the second time round";
    EXPECT_EQ(later.front().name, "a");
    EXPECT_TRUE(table_.longest_unused(10, false).empty());
    remember("c");
    EXPECT_EQ(table_.longest_unused(10, false).size(), 1U);
}

TEST_F(Table, DirectoriesThatNobodyUsesAreToldWhenAskedForAndAgain) {
    const model::InodeId directory = remember("directory")->id();
    const model::InodeId file = remember("file")->id();
    EXPECT_EQ(table_.longest_unused(1, false).front().id, file) << "passed over";
    for (int time = 0; time < 2; ++time) {
        const auto unused = table_.longest_unused(10, true);
        ASSERT_EQ(unused.size(), 1U);
        EXPECT_EQ(unused.front().id, directory);
        EXPECT_EQ(unused.front().name, "directory");
    }
    const auto held = table_.find(directory);
    EXPECT_TRUE(table_.longest_unused(10, true).empty());
}

TEST_F(Table, RememberingAKnownInodeKeepsItsName) {
    const model::InodeId id = remember("file")->id();
    EXPECT_EQ(table_.remember_known(id)->id(), id);
    EXPECT_EQ(table_.remember_known(model::InodeId{99}), nullptr);
    EXPECT_EQ(table_.longest_unused(1, false).front().name, "file");
    table_.forget(id, 1);
    EXPECT_NE(table_.find(id), nullptr);
    table_.forget(id, 1);
    EXPECT_EQ(table_.find(id), nullptr);
}

TEST_F(Table, ThreadsLookingUpAndForgettingAgreeAtTheEnd) {
    constexpr int kRounds = 2000;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < kRounds; ++round) {
                const auto file = remember("file");
                EXPECT_EQ(table_.find(file->id()), file);
                table_.forget(file->id(), 1);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(table_.known(), 1U) << "the root alone";
}

} // namespace
} // namespace partialfs::fuse
