// The ledger's entries for what faults leave out are the bytes that mmapstress finds wrong.
// mmapstress knows what must be on disk, and nothing of the faults.
#include "tests/json_lines.hpp"
#include "tests/mounted/mount.hpp"
#include "tests/shell_command.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace {

using nlohmann::json;
using partialfs::testing::json_lines;
using partialfs::testing::Mount;
using partialfs::testing::Said;

/// Bytes of each file, by its path relative to the mount.
using Bytes = std::map<std::string, std::set<std::uint64_t>>;

void add(Bytes& bytes, const std::string& path, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t at = begin; at < end; ++at) {
        bytes[path].insert(at);
    }
}

class LeftOutOfARun : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override { SKIP_IF_MOUNTING_IS_IMPOSSIBLE(); }

    [[nodiscard]] Bytes in_ledger() const {
        Bytes bytes;
        for (const json& entry : json_lines(mount_.read_control("ledger"))) {
            EXPECT_EQ(entry.at("kind"), "fault") << entry;
            if (entry.at("healed_at").is_null() && entry.contains("size_was")) {
                add(bytes, entry.at("path"), entry.at("size_is"), entry.at("size_was"));
            } else if (entry.at("healed_at").is_null()) {
                const std::uint64_t offset = entry.at("offset");
                add(bytes, entry.at("path"), offset,
                    offset + entry.at("length").get<std::uint64_t>());
            }
        }
        return bytes;
    }
    [[nodiscard]] Bytes damaged() const {
        Bytes bytes;
        const json report = json::parse(std::ifstream(mount_.temporary() / "report"));
        for (const json& range : report.at("damage")) {
            const std::filesystem::path path = report.at("files")
                                                   .at(range.at("file").get<std::size_t>())
                                                   .at("path")
                                                   .get<std::string>();
            const std::uint64_t offset = range.at("offset");
            add(bytes, path.lexically_relative(mount_.path()), offset,
                offset + range.at("length").get<std::uint64_t>());
        }
        return bytes;
    }

    Mount mount_;
};

TEST_P(LeftOutOfARun, IsInTheLedgerToTheByte) {
    mount_.start(
        {"--contract", "linux-2.6.20", "--flush-policy", GetParam(), "--commit-interval", "20ms"});
    bool any = false;
    for (const char* seed : {"1", "2", "3"}) {
        const std::string filters =
            std::string(" probability=10% path=*/file* seed=") + seed + '\n';
        mount_.set_faults("pwrite skip" + filters + "write skip" + filters + "writepage skip" +
                          filters + "fdatasync skip" + filters);
        const Said said = partialfs::testing::said_by(
            MMAPSTRESS " run " + mount_.path().string() + " --workload mix --ops 1500 --seed " +
            seed + " --without grow,gup,past-eof,punch --report " + mount_.temporary().string() +
            "/report");
        EXPECT_LE(said.code, 1) << said.text;
        const Bytes found = damaged();
        EXPECT_EQ(in_ledger(), found) << said.text;
        any = any || !found.empty();
        mount_.set_faults("");
        for (const auto& entry : std::filesystem::directory_iterator(mount_.path())) {
            std::filesystem::remove_all(entry.path()); // and with it its ledger entries
        }
    }
    EXPECT_TRUE(any) << "the faults have left something out";
}

INSTANTIATE_TEST_SUITE_P(Policies, LeftOutOfARun, testing::Values("ext3", "eager", "writeback"),
                         [](const auto& parameter) { return std::string(parameter.param); });

} // namespace
