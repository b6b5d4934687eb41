#include "fusefs/faults/rule.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace partialfs::faults {
namespace {

std::string refusal(std::string_view text) {
    const auto changes = parse_changes(text);
    return changes ? "no complaint" : changes.error().message();
}

FaultRule only_rule(std::string_view text) {
    const auto changes = parse_changes(text);
    EXPECT_TRUE(changes) << changes.error().message();
    EXPECT_EQ(changes->size(), 1U);
    return changes->front().rule.value();
}

TEST(Rule, EveryWordIsRead) {
    FaultRule expected;
    expected.operation = Operation::pwrite;
    expected.action = Action::torn;
    expected.amount = 4096;
    expected.error = base::Errno{EFBIG};
    expected.delay = std::chrono::seconds(2);
    expected.name = "a*b";
    expected.path = "dir/a b*";
    expected.range = model::ByteRange{model::ByteOffset{1024}, model::ByteOffset{1536}};
    expected.after = 1;
    expected.count = 9;
    expected.probability = 0.25;
    expected.seed = 7;
    EXPECT_EQ(only_rule("pwrite EFBIG torn=4KiB delay=2s name=a*b path=\"/dir/a b*\" "
                        "offset=1KiB+512 after=1 count=9 probability=25% seed=7 # a comment"),
              expected);
    FaultRule callers;
    callers.layer = Layer::request;
    callers.operation = Operation::write;
    callers.action = Action::short_count;
    callers.amount = 7;
    callers.uid = 1000;
    callers.pid = 42;
    callers.range = model::ByteRange{model::ByteOffset{100}, model::ByteOffset{UINT64_MAX}};
    EXPECT_EQ(only_rule("write short=7 uid=1000 pid=42 offset=100+"), callers);
}

TEST(Rule, NthIsAfterAndCount) {
    const FaultRule rule = only_rule("fdatasync EIO nth=3");
    EXPECT_EQ(rule.after, 2U);
    EXPECT_EQ(rule.count, 1U);
}

TEST(Rule, TheLayerIsInTheNameOrBeforeIt) {
    EXPECT_EQ(only_rule("fsync EIO").operation, Operation::fsync);
    EXPECT_EQ(only_rule("disk:fsync EIO").operation, Operation::fsync);
    EXPECT_EQ(only_rule("request:fsync EIO").operation, Operation::request_fsync);
    EXPECT_EQ(only_rule("request:read EIO").operation, Operation::read);
    EXPECT_EQ(only_rule("read EIO").layer, Layer::request);
    EXPECT_EQ(only_rule("any EIO").layer, Layer::disk);
    EXPECT_EQ(only_rule("request:any EIO").layer, Layer::request);
    EXPECT_EQ(refusal("disk:read EIO").substr(0, 34), "line 1: 'disk:read' is no operatio");
}

TEST(Rule, AnyIsWhatCanDoIt) {
    const FaultRule room = only_rule("any enospc-after=1MiB");
    EXPECT_TRUE(room.is_for(Operation::pwrite));
    EXPECT_TRUE(room.is_for(Operation::fallocate));
    EXPECT_FALSE(room.is_for(Operation::fsync));
    EXPECT_FALSE(room.is_for(Operation::write)) << "of the other layer";
    const FaultRule caller = only_rule("request:any EIO uid=1");
    EXPECT_TRUE(caller.is_for(Operation::write));
    EXPECT_FALSE(caller.is_for(Operation::writepage)) << "it has no caller";
    const FaultRule range = only_rule("any EIO offset=0+1");
    EXPECT_TRUE(range.is_for(Operation::pread));
    EXPECT_FALSE(range.is_for(Operation::fdatasync));
}

TEST(Rule, ClearAndNothing) {
    const auto changes = parse_changes("\n# a comment\n clear \n\tpwrite EIO\r\n");
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->size(), 2U);
    EXPECT_FALSE((*changes)[0].rule);
    EXPECT_TRUE((*changes)[1].rule);
}

TEST(Rule, WhatIsWrongIsNamedWithItsLine) {
    EXPECT_EQ(refusal("pwrite EIO\nscribble EIO"), "line 2: 'scribble' is no operation");
    EXPECT_EQ(refusal("pwrit EIO"), "line 1: 'pwrit' is no operation; did you mean 'pwrite'?");
    EXPECT_EQ(refusal("pwrite EWHAT"), "line 1: 'EWHAT' is not understood");
    EXPECT_EQ(refusal("pwrite delay=5"), "line 1: 'delay=5' is not understood");
    EXPECT_EQ(refusal("pwrite EIO dealy=5s"),
              "line 1: 'dealy=5s' is not understood; did you mean 'delay'?");
    EXPECT_EQ(refusal("pwrite EIO count=1 count=2"), "line 1: 'count' is given twice");
    EXPECT_EQ(refusal("pwrite EIO ENOSPC"), "line 1: 'ENOSPC' is a second errno");
    EXPECT_EQ(refusal("pwrite EIO path=\"a"), "line 1: a double quote is not closed");
    EXPECT_EQ(refusal("clear all"), "line 1: 'clear' must be alone on its line");
    for (const char* bad : {"probability=0", "probability=1.5", "probability=101%", "offset=5",
                            "offset=+5", "offset=5+0", "nth=0", "pid=0", "uid=4294967295", "flip=0",
                            "flip=65537", "short=-1", "after=x"}) {
        EXPECT_EQ(refusal("pwrite EIO " + std::string(bad)),
                  "line 1: '" + std::string(bad) + "' is not understood");
    }
}

TEST(Rule, WhatCannotBeIsRefused) {
    EXPECT_EQ(refusal("pwrite name=a").substr(0, 29), "line 1: it does nothing: name");
    EXPECT_EQ(refusal("pwrite skip short=1"), "line 1: 'skip' and 'short' do not go together");
    EXPECT_EQ(refusal("pwrite EIO skip"), "line 1: 'skip' and 'errno' do not go together");
    EXPECT_EQ(refusal("pwrite EIO nth=1 count=1"),
              "line 1: nth is after and count in one: leave them out");
    const std::string nobody = " has no caller: uid and pid are for requests of programs";
    EXPECT_EQ(refusal("writepage EIO uid=1"), "line 1: writepage" + nobody);
    EXPECT_EQ(refusal("pwrite EIO pid=1"), "line 1: pwrite" + nobody);
    EXPECT_EQ(refusal("any EIO pid=1"), "line 1: any of the layer disk" + nobody);
    EXPECT_EQ(refusal("fsync EIO offset=0+1"),
              "line 1: fsync has no range of bytes: it takes no offset");
    EXPECT_EQ(refusal("fsync short=1"), "line 1: 'short' is not possible for fsync");
    EXPECT_EQ(refusal("open skip"), "line 1: 'skip' is not possible for open");
    EXPECT_EQ(refusal("read stale"), "line 1: 'stale' is not possible for read");
    EXPECT_EQ(refusal("pread torn=1"), "line 1: 'torn' is not possible for pread");
    EXPECT_EQ(refusal("pwrite flip"), "line 1: 'flip' is not possible for pwrite");
    EXPECT_EQ(refusal("pwrite EINTR").substr(0, 13), "line 1: EINTR");
    EXPECT_EQ(refusal("open ENOSYS").substr(0, 14), "line 1: ENOSYS");
}

TEST(Rule, ItsTextIsReadAsTheSame) {
    for (const char* line :
         {"pwrite torn=4096 EFBIG delay=2000ms name=a*b path=\"dir/a b*\" offset=1024+512 after=1 "
          "count=9 probability=0.25 seed=7",
          "write short=7 offset=100+ uid=1000 pid=42", "any EIO", "request:any EACCES",
          "request:fsync skip", "mapped-read flip=3 seed=9", "pread stale",
          "pwrite enospc-after=1048576", "pread bad_alloc", "fsync delay=5ms",
          "pwrite EIO name=\"\""}) {
        EXPECT_EQ(to_text(only_rule(line)), line);
    }
}

} // namespace
} // namespace partialfs::faults
