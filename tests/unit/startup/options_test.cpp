#include "fusefs/base/units.hpp"
#include "fusefs/startup/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

namespace partialfs::startup {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::expected<Options, ExitRequest> parse(const std::vector<const char*>& arguments) {
    std::vector<const char*> line{"partialfs"};
    line.insert(line.end(), arguments.begin(), arguments.end());
    return parse_options(static_cast<int>(line.size()), line.data());
}

TEST(Options, DefaultsReproduceTheBug) {
    const Options options = parse({"/src", "/mnt"}).value();
    EXPECT_EQ(options.source, "/src");
    EXPECT_EQ(options.mountpoint, "/mnt");
    EXPECT_EQ(options.contract, model::Contract::linux_2_6_19);
    EXPECT_EQ(options.flush_policy, model::FlushPolicy::ext3);
    EXPECT_EQ(options.block_size.bytes(), 1024U);
    EXPECT_EQ(options.commit_interval, std::chrono::seconds(5));
    EXPECT_EQ(options.dirty_limit.value, std::uint64_t{256} << 20U);
    EXPECT_FALSE(options.foreground);
    EXPECT_EQ(options.threads, 10U);
}

TEST(Options, LongOptionsAndMountOptionsSayTheSame) {
    const std::vector<std::vector<const char*>> ways{
        {"--contract=linux-2.6.20", "--flush-policy", "ext3", "--block-size", "4096",
         "--commit-interval", "20ms", "--dirty-limit=64M", "--trace=/t", "--log-file=/l",
         "--log-level=debug", "--threads=3", "/src", "/mnt"},
        {"/src", "/mnt", "-o",
         "contract=linux-2.6.20,flush_policy=ext3,block_size=4096,commit_interval=20ms", "-o",
         "dirty-limit=64M,trace=/t,log-file=/l,log_level=debug,threads=3,rw"},
    };
    for (const auto& way : ways) {
        const Options options = parse(way).value();
        EXPECT_EQ(options.contract, model::Contract::linux_2_6_20);
        EXPECT_EQ(options.flush_policy, model::FlushPolicy::ext3);
        EXPECT_EQ(options.block_size.bytes(), 4096U);
        EXPECT_EQ(options.commit_interval, std::chrono::milliseconds(20));
        EXPECT_EQ(options.dirty_limit.value, std::uint64_t{64} << 20U);
        EXPECT_EQ(options.trace, "/t");
        EXPECT_EQ(options.log_file, "/l");
        EXPECT_EQ(options.log_level, LogLevel::debug);
        EXPECT_EQ(options.threads, 3U);
    }
}

TEST(Options, OptionsMayComeFirst) {
    const Options options =
        parse({"-o", "ro", "-o", "contract=linux-2.6.20", "/src", "-f", "/mnt"}).value();
    EXPECT_EQ(options.source, "/src");
    EXPECT_EQ(options.mountpoint, "/mnt");
    EXPECT_TRUE(options.read_only);
    EXPECT_EQ(options.contract, model::Contract::linux_2_6_20);
}

TEST(Options, WhatMountFuseCallsIsUnderstood) {
    const Options options =
        parse({"/src", "/mnt", "-o", "ro,noexec,nosuid,nodev,user=me,x-systemd.idle-timeout=1min"})
            .value();
    EXPECT_TRUE(options.read_only);
    EXPECT_THAT(options.fuse_options,
                AllOf(Contains("noexec"), Contains("fsname=/src"), Not(Contains("user=me"))));
}

TEST(Options, ShortFlags) {
    const Options options = parse({"-f", "-s", "/src", "/mnt"}).value();
    EXPECT_TRUE(options.foreground);
    EXPECT_EQ(options.threads, 1U);
    const Options debug = parse({"-d", "/src", "/mnt"}).value();
    EXPECT_TRUE(debug.foreground);
    EXPECT_EQ(debug.log_level, LogLevel::debug) << "the level that requests are logged at";
    EXPECT_EQ(parse({"-d", "--log-level=trace", "/src", "/mnt"})->log_level, LogLevel::trace);
    EXPECT_TRUE(parse({"/src", "/mnt", "-o", "debug"})->foreground);
    EXPECT_TRUE(parse({"/src", "/mnt", "-o", "nonempty"})->nonempty);
}

TEST(Options, RelativePathsBecomeAbsolute) {
    const Options options = parse({"src", "mnt/../mnt"}).value();
    EXPECT_EQ(options.source, std::filesystem::current_path() / "src");
    EXPECT_EQ(options.mountpoint, std::filesystem::current_path() / "mnt");
}

TEST(Options, HelpAndVersionAreNoErrors) {
    const ExitRequest help = parse({"--help"}).error();
    EXPECT_EQ(help.code, 0);
    for (const char* option :
         {"SOURCE", "MOUNTPOINT", "--contract", "--flush-policy", "--block-size",
          "--commit-interval", "--dirty-limit", "--trace", "--log-level", "--log-file", "--threads",
          "--foreground", "-s", "-o", "--version", "allow_other"}) {
        EXPECT_THAT(help.text, HasSubstr(option));
    }
    for (const model::ContractRow& row : model::kContracts) {
        EXPECT_THAT(help.text, HasSubstr(row.name));
    }
    const ExitRequest version = parse({"--version"}).error();
    EXPECT_EQ(version.code, 0);
    EXPECT_THAT(version.text, StartsWith("partialfs "));
    EXPECT_FALSE(version.text.ends_with('\n'));
}

TEST(Options, WhatMountsNothingStandsAlone) {
    const Options wait = parse({"--wait", "/src"}).value();
    EXPECT_EQ(wait.action, Action::wait_for_source);
    EXPECT_EQ(wait.source, "/src");
    const Options unmount = parse({"--unmount=/mnt"}).value();
    EXPECT_EQ(unmount.action, Action::unmount);
    EXPECT_EQ(unmount.mountpoint, "/mnt");
}

TEST(Options, ARemountIsOfTheMountThatIsThere) {
    const Options options =
        parse({"/src", "/mnt", "-o", "rw,user_id=0,group_id=0,remount,ro,contract=linux-2.6.20"})
            .value();
    EXPECT_EQ(options.action, Action::remount);
    EXPECT_EQ(options.remount_flags, std::uint64_t{MS_RDONLY});
    EXPECT_THAT(options.given, ::testing::ElementsAre(std::pair{"contract", "linux-2.6.20"}));
    EXPECT_EQ(parse({"/src", "/mnt"})->action, Action::mount);
}

TEST(Options, HelpHasTheUnitsThatAreUnderstoodAndAnExample) {
    const std::string help = parse({"--help"}).error().text;
    EXPECT_THAT(help, AllOf(HasSubstr(base::kDurationUnits), HasSubstr(base::kSizeUnits),
                            HasSubstr("Example"), HasSubstr("partialfs --wait disk")));
    for (const char* time : {"7ms", "7s", "7min", "7h"}) {
        EXPECT_TRUE(parse({"/src", "/mnt", "--commit-interval", time})) << time;
    }
    for (const char* size : {"640KiB", "64MiB", "1GiB", "1TiB", "64M"}) {
        EXPECT_TRUE(parse({"/src", "/mnt", "--dirty-limit", size})) << size;
    }
}

struct Wrong {
    std::vector<const char*> arguments;
    const char* named;
};

TEST(Options, EveryMistakeGetsOneLineThatNamesIt) {
    const std::vector<Wrong> all{
        {{"/src"}, "MOUNTPOINT"},
        {{"/src", "/mnt", "/more"}, "/more"},
        {{"/src", "/mnt", "--contract", "linux-2.6.21"}, "linux-2.6.21"},
        {{"/src", "/mnt", "--flush-policy", "lazy"}, "lazy"},
        {{"/src", "/mnt", "--block-size", "1000"}, "1000"},
        {{"/src", "/mnt", "--block-size", "8192"}, "8192"},
        {{"/src", "/mnt", "--commit-interval", "5"}, "'5'"},
        {{"/src", "/mnt", "--dirty-limit", "1K"}, "1K"},
        {{"/src", "/mnt", "--threads", "0"}, "--threads"},
        {{"/src", "/mnt", "--power-undo", "1M"}, "--power-undo needs --power"},
        {{"/src", "/mnt", "--log-level", "loud"}, "loud"},
        {{"/src", "/mnt", "--frobnicate"}, "--frobnicate"},
        {{"/src", "/mnt", "-o", "frobnicate"}, "frobnicate"},
        {{"/src", "/mnt", "-o", "contract=linux-2.4"}, "linux-2.4"},
        {{"/src", "/mnt", "-o", "contract"}, "contract=NAME"},
        {{"/src", "/mnt", "-o", "max_read=x"}, "max_read=x"},
        {{"/src", "/mnt", "--comit-interval", "5s"}, "did you mean '--commit-interval'"},
        {{"/src", "/mnt", "--contrat=linux-2.6.20"}, "did you mean '--contract'"},
        {{"/src", "/mnt", "-o", "alow_other"}, "did you mean 'allow_other'"},
        {{"/src", "/mnt", "-o", "comit_interval=5s"}, "did you mean 'commit_interval'"},
        {{"/src", "/mnt", "-o", "user_id=0"}, "user_id=0"},
        {{"/src", "/mnt", "-d", "--log-level=info"}, "--log-level info"},
        {{"/src", "--wait", "/src"}, "--wait"},
        {{"--unmount", "/mnt", "--wait", "/src"}, "takes only its directory"},
        {{"--unmount"}, "--unmount"},
    };
    for (const Wrong& wrong : all) {
        const auto options = parse(wrong.arguments);
        ASSERT_FALSE(options) << wrong.named;
        EXPECT_EQ(options.error().code, 2);
        EXPECT_THAT(options.error().text,
                    AllOf(StartsWith("partialfs: "), HasSubstr(wrong.named), Not(HasSubstr("\n"))));
    }
}

} // namespace
} // namespace partialfs::startup
