#include "fusefs/file/ledger_book.hpp"
#include "tests/unit/file/ledger_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace partialfs::file {
namespace {

using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::InodeId;
using model::Nanoseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

const model::BlockSize kBlockSize = *model::BlockSize::from_bytes(1024);

ByteRange bytes(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

// A rename's flush belongs to the next commit, which then begins a second time.
TEST(LedgerBook, ACommitKeepsTheTimeItFirstBegan) {
    LedgerBook ledger(kBlockSize);
    ledger.commit_began(CommitId{1}, Nanoseconds{100});
    ledger.commit_began(CommitId{2}, Nanoseconds{200});
    for (const std::uint64_t again : {250U, 260U, 270U}) {
        ledger.commit_began(CommitId{2}, Nanoseconds{again});
    }
    ledger.commit_began(CommitId{3}, Nanoseconds{300});
    for (const std::uint64_t commit : {1U, 2U, 3U}) {
        const ByteRange lost = bytes(commit * 4096, commit * 4096 + 10);
        ledger.passed_over(InodeId{7}, CommitId{commit}, {&lost, 1});
    }
    const std::string lines = text_of(ledger);
    EXPECT_THAT(lines, HasSubstr(R"("cleaned_by":1,"cleaned_at":100)"));
    EXPECT_THAT(lines, HasSubstr(R"("cleaned_by":2,"cleaned_at":200)"));
    EXPECT_THAT(lines, HasSubstr(R"("cleaned_by":3,"cleaned_at":300)"));
}

TEST(LedgerBook, CommitsAreCountedBeyond32Bits) {
    LedgerBook ledger(kBlockSize);
    constexpr std::uint64_t kLate = std::uint64_t{1} << 32U;
    ledger.commit_began(CommitId{kLate}, Nanoseconds{100});
    ledger.commit_began(CommitId{kLate + 1}, Nanoseconds{200});
    const ByteRange lost = bytes(0, 10);
    ledger.passed_over(InodeId{7}, CommitId{kLate}, {&lost, 1});
    EXPECT_THAT(text_of(ledger), HasSubstr(R"("cleaned_by":4294967296,"cleaned_at":100)"));
}

TEST(LedgerBook, WhatTheDiskRefusedSaysWithWhichErrno) {
    LedgerBook ledger(kBlockSize);
    ledger.refused(InodeId{7}, bytes(1000, 1100), ENOSPC);
    const std::string lines = text_of(ledger);
    EXPECT_THAT(lines, AllOf(HasSubstr(R"("number":1,"kind":"refused","errno":28,)"),
                             HasSubstr(R"("block":0,"offset":1000,"length":24,"cleaned_by":0)"),
                             HasSubstr(R"("block":1,"offset":1024,"length":76,"cleaned_by":0)")));
    ledger.heal(InodeId{7}, bytes(0, 2048));
    EXPECT_FALSE(ledger.has_open(InodeId{7}));
}

TEST(LedgerBook, AsksForAPathOnceForEachInode) {
    LedgerBook ledger(kBlockSize);
    int asked = 0;
    ledger.set_path_of([&](InodeId) {
        ++asked;
        return "name";
    });
    for (const std::uint64_t page : {0U, 1U, 2U}) {
        const ByteRange lost = bytes(page * 4096, page * 4096 + 1);
        ledger.passed_over(InodeId{7}, CommitId{1}, {&lost, 1});
    }
    EXPECT_EQ(asked, 1);
}

} // namespace
} // namespace partialfs::file
