// The outputs for people and programs: tables, JSON, graphs, pictures, screens, schedule files.
#include "tests/temporary_directory.hpp"
#include "tools/vmmodel/predict/schedule_file.hpp"
#include "tools/vmmodel/show/render.hpp"
#include "tools/vmmodel/show/screen.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace vmmodel {
namespace {

using ::testing::HasSubstr;

const Search& losing() {
    static const Search kSearch = search(Era::linux_2_6_19, Filesystem::ordered_eager,
                                         default_bounds(), Races::automatic, {});
    return kSearch;
}

Search clean() {
    Bounds bounds;
    bounds.events[0] = 1;
    return search(Era::linux_2_6_23, Filesystem::writeback, bounds, Races::automatic, {});
}

TEST(Render, TheTableTellsTheStoryStepByStep) {
    const std::string text = rendered(losing(), Format::table);
    EXPECT_THAT(text, HasSubstr("In 4 events: store, commit, store, writepage."));
    EXPECT_THAT(text, HasSubstr("no fault: nobody tells the filesystem"));
    EXPECT_THAT(text, HasSubstr("memory and disk differ: gone for good"));
}

TEST(Render, NothingFoundIsClaimedOnlyWhenTheSearchWasComplete) {
    Search found = clean();
    EXPECT_THAT(rendered(found, Format::table),
                HasSubstr("no store can be lost within these bounds"));
    found.complete = false;
    const std::string text = rendered(found, Format::table);
    EXPECT_THAT(text, HasSubstr("incomplete"));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("no store can be lost")));
    EXPECT_THAT(rendered(found, Format::svg), ::testing::Not(HasSubstr("no store can be lost")));
    EXPECT_THAT(era_table({found}), HasSubstr("not found (incomplete)"));
}

TEST(Render, JsonHasEveryStepWithItsState) {
    const auto json = nlohmann::json::parse(rendered(losing(), Format::json));
    EXPECT_EQ(json["era"], "linux-2.6.19");
    EXPECT_EQ(json["complete"], true);
    ASSERT_EQ(json["found"].size(), 3U);
    const auto& lost = json["found"][0];
    EXPECT_EQ(lost["harm"], "lost");
    EXPECT_EQ(lost["events"], (std::vector<std::string>{"store", "commit", "store", "writepage"}));
    const auto& last = lost["steps"].back();
    EXPECT_EQ(last["pages"][0]["cached"], false);
    const auto& before = lost["steps"][lost["steps"].size() - 2]["pages"][0];
    EXPECT_GT(before["blocks"][0]["memory"], before["blocks"][0]["disk"]);
}

TEST(Render, DotAndSvgAreWhole) {
    const std::string dot = rendered(losing(), Format::dot);
    EXPECT_EQ(std::ranges::count(dot, '{'), std::ranges::count(dot, '}'));
    EXPECT_THAT(dot, HasSubstr("r0_0 -> r0_1"));
    const std::string svg = rendered(losing(), Format::svg);
    EXPECT_TRUE(svg.starts_with("<svg "));
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
    EXPECT_THAT(svg, HasSubstr("-&gt;writepage"));
    EXPECT_THAT(svg, ::testing::Not(HasSubstr("->")));
}

TEST(Render, TheEraTableHasALineForEachRow) {
    const std::string table = era_table({losing(), clean()});
    EXPECT_THAT(table, HasSubstr("linux-2.6.19  eager       store, commit, store, writepage"));
    EXPECT_THAT(table, HasSubstr("never"));
    EXPECT_EQ(nlohmann::json::parse(era_table_json({losing(), clean()})).size(), 2U);
}

TEST(Screen, FitsAnyTerminal) {
    const Film film = film_of(losing().found.front(), losing());
    for (const ScreenSize size : {ScreenSize{80, 24}, ScreenSize{20, 5}, ScreenSize{200, 60},
                                  ScreenSize{1, 1}, ScreenSize{40, 12}}) {
        for (std::size_t frame = 0; frame < film.frames.size(); ++frame) {
            for (const bool colour : {false, true}) {
                const auto lines = draw(film, frame, size, colour);
                EXPECT_LE(lines.size(), static_cast<std::size_t>(size.rows));
                for (const std::string& line : lines) {
                    EXPECT_LE(columns_of(line), static_cast<std::size_t>(size.columns)) << line;
                    EXPECT_EQ(line.find('\x1b') != std::string::npos && !colour, false);
                }
            }
        }
    }
}

TEST(Screen, ShowsTheStepAndTheBlocks) {
    const Film film = film_of(losing().found.front(), losing());
    const auto lines = draw(film, 8, {100, 40}, false);
    std::string all;
    for (const std::string& line : lines) {
        all += line + '\n';
    }
    EXPECT_THAT(all, HasSubstr("step 8 of 15"));
    EXPECT_THAT(all, HasSubstr("store instruction, block 0 := B"));
    EXPECT_THAT(all, HasSubstr("memory   │     B     │"));
    EXPECT_THAT(all, HasSubstr("disk     │     A     │"));
}

class ScheduleFiles : public ::testing::Test {
  protected:
    std::string error_of(const std::string& text) {
        const auto path = directory_ / "schedule";
        std::ofstream(path) << text;
        const auto loaded = load_schedules(path);
        return loaded ? "loaded" : loaded.error().substr(path.string().size());
    }
    partialfs::testing::TemporaryDirectory directory_;
};

TEST_F(ScheduleFiles, TellTheLineAndTheReason) {
    EXPECT_EQ(error_of("mmapstress-schedule 1\nseed 1\nfile 0 size=1 start=sparse\n1 frobnicate\n"),
              ": line 4: no such operation: 'frobnicate'");
    EXPECT_THAT(error_of("{\"id\": \"x\"}\n"), HasSubstr(": line 1: no \"kernel\""));
    EXPECT_THAT(error_of("hello\n"), HasSubstr("not a schedule"));
    EXPECT_THAT(error_of(""), HasSubstr("not a schedule"));
    EXPECT_THAT(error_of(std::string("\x28\xb5\x2f\xfd rubbish", 12)), HasSubstr("damaged zstd"));
    EXPECT_THAT(error_of("\x28\xb5\x2f\xfd"), HasSubstr("ends too early"));
}

TEST_F(ScheduleFiles, MayBeRecordedWithAnyOperation) {
    const auto path = directory_ / "recorded";
    std::ofstream(path) << R"({"kernel":"2.6.19","block":1024,"id":"x","files":1,"size":4096,)"
                        << R"("start":"written","end":"munmap,fsync","damage":[[0,3000,10]],)"
                        << R"("ops":[{"op":"store","file":0,"map":0,"off":0,"len":1,"v":2},)"
                        << R"({"op":"truncate","file":0,"size":1024},{"op":"sync"},)"
                        << R"({"op":"munmap","file":0,"map":0},{"op":"evict","file":0},)"
                        << R"({"op":"fork_store","file":0,"map":1,"off":0,"len":9,"v":3}]})"
                        << "\n";
    const auto loaded = load_schedules(path);
    ASSERT_TRUE(loaded) << loaded.error();
    ASSERT_EQ(loaded->front().schedule.ops.size(), 6U);
    EXPECT_EQ(loaded->front().schedule.ops[1].length.value, 1024U);
}

TEST_F(ScheduleFiles, ThatAreMissingAreNamed) {
    const auto loaded = load_schedules("/nonexistent/schedule");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error(), "/nonexistent/schedule: No such file or directory");
}

TEST_F(ScheduleFiles, KeepTheIdsOfRecordedSchedules) {
    const auto loaded = load_schedules(VMMODEL_GOLDEN_DIR "/ext3-ordered-2.6.19.jsonl.zst");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->front().name, "1024-100008");
    EXPECT_TRUE(loaded->front().recorded);
}

} // namespace
} // namespace vmmodel
