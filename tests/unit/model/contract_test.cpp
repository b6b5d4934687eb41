#include "fusefs/model/contract.hpp"
#include "fusefs/model/page_state.hpp"

#include <gtest/gtest.h>

#include <set>

namespace partialfs::model {
namespace {

TEST(Contract, EveryRowIsFoundByItsNameAndHasANameOfItsOwn) {
    std::set<std::string_view> names;
    for (const ContractRow& row : kContracts) {
        EXPECT_EQ(base::from_name<Contract>(row.name), row.value);
        EXPECT_EQ(name_of(row.value), row.name);
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
    }
}

TEST(Contract, OtherNamesAreNone) {
    for (const std::string_view name : {"", "linux-2.6.2", "linux-2.6.200", "LINUX-2.6.19"}) {
        EXPECT_EQ(base::from_name<Contract>(name), std::nullopt) << name;
    }
}

TEST(Contract, MessagesNameThemAll) {
    EXPECT_EQ(base::all_names<Contract>(), "linux-2.6.19, linux-2.6.20 or linux-6.12-blockdev");
}

// The documented property must match the rule, for a store into a page whose blocks a commit has
// flushed.
TEST(Contract, LosesMappedStoresIffWritepagePassesOverThem) {
    constexpr BlockMask all{0b1111};
    const BlockSize kib = *BlockSize::from_bytes(1024);
    for (const ContractRow& row : kContracts) {
        if (!row.has_journal) {
            continue; // there is no commit; see block_device_test.cpp
        }
        PageState page;
        explicit_write(page, all);
        set_page_dirty(page, kib);
        ordered_flush(page, FlushPolicy::eager, all);
        clear_page_dirty_for_io(page, row.value, /*pte_was_dirty=*/true, kib);
        EXPECT_EQ(!writepage(page, all).skipped.empty(), row.loses_mapped_stores) << row.name;
    }
}

} // namespace
} // namespace partialfs::model
