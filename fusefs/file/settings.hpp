// How the files of one mount are to behave.
#pragma once

#include "fusefs/model/contract.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/model/write_error.hpp"

#include <atomic>

namespace partialfs::file {

/// Any thread may change the atomic members at any time; the next decision uses the new value. The
/// others never change.
struct Settings {
    model::BlockSize block_size;
    std::atomic<model::Contract> contract;
    std::atomic<model::FlushPolicy> policy;
    std::atomic<model::AfterWriteError> after_write_error{model::AfterWriteError::keep};
    /// Hashes of cached pages are kept, for the probe that retrieves and compares.
    bool compare_pages = false;
    /// The daemon may open any file of SOURCE, whatever its mode (CAP_DAC_OVERRIDE).
    bool reopens_any_file = false;
};

} // namespace partialfs::file
