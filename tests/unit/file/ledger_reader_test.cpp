#include "fusefs/file/ledger_book.hpp"
#include "fusefs/file/ledger_reader.hpp"
#include "tests/json_lines.hpp"
#include "tests/unit/file/ledger_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace partialfs::file {
namespace {

using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::InodeId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::json_lines;
using ::testing::StartsWith;

const model::BlockSize kBlockSize = *model::BlockSize::from_bytes(1024);
constexpr InodeId kInode{7};

std::vector<std::uint64_t> numbers(const std::string& text) {
    std::vector<std::uint64_t> result;
    for (const nlohmann::json& line : json_lines(text)) {
        result.push_back(line.at("number"));
    }
    return result;
}

class LedgerReaderTest : public ::testing::Test {
  protected:
    void lose(std::uint64_t begin, std::uint64_t end, InodeId inode = kInode) {
        const ByteRange lost{ByteOffset{begin}, ByteOffset{end}};
        ledger_.passed_over(inode, CommitId{1}, {&lost, 1});
    }
    void heal(std::uint64_t begin, std::uint64_t end) {
        ledger_.heal(kInode, {ByteOffset{begin}, ByteOffset{end}});
    }
    /// The text as assembled from reads of `size` bytes.
    std::string in_parts_of(std::size_t size) {
        LedgerReader reader(ledger_);
        std::string text;
        for (std::string part = reader.read(0, size); !part.empty();
             part = reader.read(text.size(), size)) {
            text += part;
        }
        return text;
    }

    LedgerBook ledger_{kBlockSize, /*open_kept=*/100};
};

TEST_F(LedgerReaderTest, AnEntryIsALineOfJson) {
    ledger_.set_path_of([](InodeId) { return "a \"name\"\n"; });
    lose(4096 + 1030, 4096 + 1040);
    const std::vector<nlohmann::json> lines = json_lines(text_of(ledger_));
    ASSERT_EQ(lines.size(), 1U);
    nlohmann::json expected = {
        {"number", 1},         {"kind", "contract"}, {"errno", nullptr}, {"path", "a \"name\"\n"},
        {"inode", 7},          {"page", 1},          {"block", 1},       {"offset", 5126},
        {"length", 10},        {"cleaned_by", 1},    {"cleaned_at", 0},  {"lost_at", nullptr},
        {"healed_at", nullptr}};
    expected["lost_at"] = lines[0].at("lost_at");
    EXPECT_EQ(lines[0], expected);
    EXPECT_THAT(text_of(ledger_), StartsWith(R"({"number":1,)"));
}

TEST_F(LedgerReaderTest, ReadsAreTheSameTextInPartsOfAnySize) {
    for (std::uint64_t i = 0; i < 20; ++i) {
        lose(i * 100, i * 100 + 10, InodeId{1 + i % 3});
    }
    heal(500, 700);
    const std::string whole = text_of(ledger_);
    std::vector<std::uint64_t> expected(20);
    std::ranges::generate(expected, [n = std::uint64_t{0}]() mutable { return ++n; });
    EXPECT_EQ(numbers(whole), expected) << "in the order of discovery";
    for (const std::size_t size : {1U, 7U, 150U, 1000U, 4096U}) {
        EXPECT_EQ(in_parts_of(size), whole) << size;
    }
}

TEST_F(LedgerReaderTest, AReadTakesNoMoreThanItAsksFor) {
    int asked = 0;
    ledger_.set_path_of([&](InodeId) {
        ++asked;
        return "name";
    });
    for (std::uint64_t i = 0; i < 50; ++i) {
        lose(i * 100, i * 100 + 10, InodeId{100 + i}); // each with another path
    }
    asked = 0;
    LedgerReader reader(ledger_);
    EXPECT_EQ(reader.read(0, 100).size(), 100U);
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(reader.read(100, 100).size(), 100U);
    EXPECT_EQ(asked, 2);
}

TEST_F(LedgerReaderTest, AnyOffsetCanBeAskedFor) {
    for (std::uint64_t i = 0; i < 10; ++i) {
        lose(i * 100, i * 100 + 10);
    }
    const std::string whole = text_of(ledger_);
    LedgerReader reader(ledger_);
    EXPECT_EQ(reader.read(700, 50), whole.substr(700, 50));
    EXPECT_EQ(reader.read(700, 80), whole.substr(700, 80)) << "once more";
    EXPECT_EQ(reader.read(3, 500), whole.substr(3, 500)) << "backwards";
    EXPECT_EQ(reader.read(whole.size() - 5, 100), whole.substr(whole.size() - 5));
    EXPECT_THAT(reader.read(whole.size(), 100), IsEmpty());
    EXPECT_THAT(reader.read(whole.size() + 1000, 100), IsEmpty());
}

TEST_F(LedgerReaderTest, WhatIsFoundMeanwhileIsLeftOut) {
    lose(0, 10);
    LedgerReader reader(ledger_);
    const std::string first = reader.read(0, 1000);
    lose(100, 110);
    EXPECT_THAT(reader.read(first.size(), 1000), IsEmpty());
    EXPECT_THAT(numbers(reader.read(0, 1000)), ElementsAre(1, 2)) << "from the start again";
}

// An entry becomes three if its middle is healed while a reader is at it. The reader has already
// shown their bytes.
TEST_F(LedgerReaderTest, NoByteIsShownTwiceThoughItsEntryIsCut) {
    lose(0, 100);
    lose(2000, 2010);
    LedgerReader reader(ledger_);
    std::string text = reader.read(0, 20); // part of the first line; the reader keeps the rest
    heal(40, 60);
    text += reader.read(20, 10000);
    EXPECT_THAT(numbers(text), ElementsAre(1, 2));
    EXPECT_THAT(numbers(text_of(ledger_)), ElementsAre(1, 1, 1, 2));
}

TEST_F(LedgerReaderTest, OpenEntriesShowTheirPresentPathAndHealedOnesTheOldOne) {
    std::string name = "before";
    ledger_.set_path_of([&](InodeId) { return name; });
    lose(0, 10);
    lose(100, 110);
    heal(0, 10);
    name = "after";
    std::vector<nlohmann::json> lines = json_lines(text_of(ledger_));
    EXPECT_EQ(lines.at(0).at("path"), "before");
    EXPECT_EQ(lines.at(1).at("path"), "after");
    name = ""; // unlinked; the daemon does not know the file's other name
    EXPECT_EQ(json_lines(text_of(ledger_)).at(1).at("path"), "");
}

TEST_F(LedgerReaderTest, WhatACutTookKeepsItsPathAndTellsItsSizes) {
    ledger_.set_path_of([](InodeId) { return "now"; });
    const model::ByteRange bytes{model::ByteOffset{5}, model::ByteOffset{8}};
    ledger_.cut(InodeId{7}, "then", {&bytes, 1});
    ledger_.cut_size(InodeId{7}, "then", {model::ByteOffset{8}, model::ByteOffset{5}});
    const std::vector<nlohmann::json> lines = json_lines(text_of(ledger_));
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].at("kind"), "cut");
    EXPECT_EQ(lines[0].at("path"), "then");
    EXPECT_FALSE(lines[0].contains("size_was"));
    EXPECT_EQ(lines[1].at("length"), 0);
    EXPECT_EQ(lines[1].at("size_was"), 8);
    EXPECT_EQ(lines[1].at("size_is"), 5);
}

TEST_F(LedgerReaderTest, AFullLedgerSaysSoInItsLastLine) {
    for (std::uint64_t i = 0; i < 100; ++i) {
        lose(i * 10, i * 10 + 5);
    }
    EXPECT_THAT(text_of(ledger_), Not(HasSubstr("not_kept")));
    lose(2000, 2007);
    const std::vector<nlohmann::json> lines = json_lines(text_of(ledger_));
    ASSERT_EQ(lines.size(), 101U);
    EXPECT_EQ(lines.back(),
              (nlohmann::json{{"not_kept", 1}, {"not_kept_bytes", 7}, {"kept_at_most", 100}}));
}

} // namespace
} // namespace partialfs::file
