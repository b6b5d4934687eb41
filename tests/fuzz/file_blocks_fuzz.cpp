// Any sequence of events leaves a file's block table consistent: nothing is flushed twice, entries
// are freed, every skipped block was cleaned by a commit, and the fixed contract skips nothing.
#include "fusefs/model/file_blocks.hpp"

#include <cstdlib>

namespace {

using namespace partialfs::model;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const BlockSize block_size = *BlockSize::from_bytes(512U << (data[0] & 3U));
    const FlushPolicy policy = (data[0] & 4U) != 0 ? FlushPolicy::ext3 : FlushPolicy::eager;
    const Contract contract = (data[0] & 8U) != 0 ? Contract::linux_2_6_19 : Contract::linux_2_6_20;
    FileBlocks file(block_size);
    ByteOffset eof{data[1] * std::uint64_t{2048}};
    CommitId commit{0};
    for (std::size_t i = 2; i + 2 < size; i += 3) {
        const ByteOffset at{data[i + 1] * std::uint64_t{1500}};
        const PageIndex page = page_of(at);
        const ByteRange range{at, at + ByteCount{data[i + 2] * std::uint64_t{64} + 1}};
        switch (data[i] % 7) {
        case 0:
            eof = std::max(eof, range.end);
            file.explicit_write(range);
            require(file.page(page).dirty.contains(BlockInPage{
                static_cast<std::uint8_t>((at - start_of(page)).value / block_size.bytes())}));
            break;
        case 1:
            file.learn_dirty(page);
            require(!file.learn_dirty(page));
            break;
        case 2:
            ++commit;
            for (auto next = file.next_flushable(PageIndex{0}, policy, eof); next;
                 next = file.next_flushable(PageIndex{next->value + 1}, policy, eof)) {
                const BlockMask flushed = file.flush(*next, policy, eof, commit);
                require((flushed - block_size.within(*next, eof)).empty());
            }
            require(!file.next_flushable(PageIndex{0}, policy, eof));
            break;
        case 3: {
            const PageState before = file.page(page);
            const WriteDecision decision = file.writepage(page, contract, eof);
            require((decision.written & decision.skipped).empty());
            require((decision.written | decision.skipped) == block_size.within(page, eof));
            require(decision.skipped.empty() || contract == Contract::linux_2_6_19);
            require(decision.skipped.empty() || before.told);
            require(file.page(page).dirty.empty());
            break;
        }
        case 4:
            eof = std::min(eof, at);
            file.truncate(eof, (data[i + 2] & 1U) != 0);
            require(file.page(PageIndex{page_of(eof).value + 1}) == PageState{});
            break;
        case 5:
            file.punch(range);
            break;
        default:
            file.evict(page);
            break;
        }
    }
    file.truncate(ByteOffset{0}, false);
    require(file.entries() == 0);
    return 0;
}
