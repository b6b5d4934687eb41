// What all file data of one mount share.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/model/contract.hpp"
#include "fusefs/model/types.hpp"

#include <atomic>

namespace partialfs::trace {
class Recorder;
}

namespace partialfs::journal {

class BufferBudget;
class LedgerBook;
class Journal;

/// Made once, before the first inode, and outlives the last. The references are to objects that
/// are thread-safe by themselves.
struct Context {
    backing::FileIo& io;
    model::BlockSize block_size;
    BufferBudget& budget;
    LedgerBook& ledger;
    trace::Recorder& trace;
    /// Both may be changed at any time, and hold from the next decision on.
    std::atomic<model::Contract> contract;
    std::atomic<model::FlushPolicy> policy;
    /// Known hashes of cached pages are kept for the retrieve-and-compare probe.
    bool compare_pages = false;
};

} // namespace partialfs::journal
