// Long random runs of an era's kernel, fast: operations one after another on one file. The rule is
// that of KernelPredictor, but a block has a version number in place of its bytes.
//
// Not thread-safe.
#pragma once

#include "fusefs/model/page_state.hpp"
#include "tools/vmmodel/era.hpp"

#include <atomic>
#include <cstdint>
#include <vector>

namespace vmmodel {

/// A store that is not on disk and never will be.
struct LostVersion {
    std::uint64_t operation = 0;  ///< the one that evicted the page, counted from 1
    std::uint64_t lost_by = 0;    ///< the writepage that passed over the block
    std::uint64_t cleaned_by = 0; ///< the commit that had marked it clean; 0 if none had
    partialfs::model::PageIndex page;
    partialfs::model::BlockInPage block;
    std::uint32_t in_memory = 0; ///< the version that is gone
    std::uint32_t on_disk = 0;   ///< the version found instead

    bool operator==(const LostVersion&) const = default;
};

/// Receives the events that a filesystem would see: enough to keep a ledger.
class SimulationListener {
  public:
    SimulationListener() = default;
    SimulationListener(const SimulationListener&) = delete;
    SimulationListener& operator=(const SimulationListener&) = delete;
    SimulationListener(SimulationListener&&) = delete;
    SimulationListener& operator=(SimulationListener&&) = delete;
    virtual ~SimulationListener() = default;

    /// The block has reached the disk, at a commit or at a writepage.
    virtual void written(partialfs::model::PageIndex page, partialfs::model::BlockInPage block) = 0;
    /// A writepage has passed over the block as clean, and the disk differs from memory.
    virtual void passed_over(partialfs::model::PageIndex page,
                             partialfs::model::BlockInPage block) = 0;
    /// The page has left memory, and with it these blocks' last versions.
    virtual void evicted(partialfs::model::PageIndex page, partialfs::model::BlockMask lost) = 0;
};

struct SimulationSettings {
    Era era = Era::linux_2_6_19;
    Filesystem filesystem = Filesystem::ordered;
    partialfs::model::BlockSize block_size = *partialfs::model::BlockSize::from_bytes(1024);
    std::uint64_t seed = 1;
    std::uint64_t operations = 1'000'000;
    std::uint32_t pages = 64;
    std::uint32_t mappings = 2; ///< up to 8
    /// Now and then a write fault happens in the middle of a writepage, if the era allows it.
    bool races = false;
};

struct SimulationResult {
    std::uint64_t operations = 0;
    std::uint64_t stores = 0;
    std::uint64_t lost = 0;          ///< blocks evicted with a version that the disk had not got
    std::uint64_t healed = 0;        ///< passed over, and written later after all
    std::uint64_t syncs = 0;         ///< fsyncs
    std::uint64_t broken_syncs = 0;  ///< fsyncs that returned while a block was not on disk
    std::vector<LostVersion> losses; ///< the first `keep` of them
};

/// Runs the simulation; the same settings give the same result. `listener` may be null. `done`, if
/// given, is set now and then to the number of operations done.
SimulationResult simulate(const SimulationSettings& settings, std::size_t keep,
                          SimulationListener* listener, std::atomic<std::uint64_t>* done = nullptr);

} // namespace vmmodel
