#include "fusefs/journal/ledger_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace partialfs::journal {
namespace {

using model::BlockIndex;
using model::BlockInPage;
using model::ByteOffset;
using model::CommitId;
using model::InodeId;
using model::Nanoseconds;
using model::PageIndex;
using ::testing::HasSubstr;

// A rename's flush belongs to the commit that is to come, which then begins once more.
TEST(LedgerBook, ACommitKeepsTheTimeItFirstBegan) {
    LedgerBook ledger;
    ledger.commit_began(CommitId{1}, Nanoseconds{100});
    ledger.commit_began(CommitId{2}, Nanoseconds{200});
    for (const std::uint64_t again : {250U, 260U, 270U}) {
        ledger.commit_began(CommitId{2}, Nanoseconds{again});
    }
    ledger.commit_began(CommitId{3}, Nanoseconds{300});
    for (const std::uint32_t commit : {1U, 2U, 3U}) {
        ledger.record(InodeId{7}, PageIndex{commit}, BlockInPage{0}, BlockIndex{commit * 4},
                      CommitId{commit},
                      {{ByteOffset{commit * 4096}, ByteOffset{commit * 4096 + 10}}});
    }
    const std::string lines = ledger.lines();
    EXPECT_THAT(lines, HasSubstr(R"("cleaned_by":1,"cleaned_at":100)"));
    EXPECT_THAT(lines, HasSubstr(R"("cleaned_by":2,"cleaned_at":200)"));
    EXPECT_THAT(lines, HasSubstr(R"("cleaned_by":3,"cleaned_at":300)"));
}

} // namespace
} // namespace partialfs::journal
