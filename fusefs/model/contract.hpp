// What the VM promises before it calls ->writepage(), and which pages a commit flushes.
#pragma once

#include "fusefs/base/enum_names.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace partialfs::model {

/// What the VM promises the filesystem about pages before it writes them back.
enum class Contract : std::uint8_t {
    /// The PTEs are cleaned without set_page_dirty(): the filesystem does not know of stores since
    /// its last own flush of a block (commit d08b3851da41, as released in 2.6.19).
    linux_2_6_19,
    /// If a PTE was dirty, set_page_dirty() comes first: every block is dirty
    /// (commit 7658cc289288, as released in 2.6.20).
    linux_2_6_20,
    /// A block device without buffer heads (CONFIG_BUFFER_HEAD=n, Linux 6.6 on; as in 6.12): stores
    /// through a mapping set no block's dirty bit. See block_device.hpp.
    linux_6_12_blockdev,
};

/// What help texts and messages say of a contract.
struct ContractRow {
    Contract value;
    std::string_view name;
    /// Whether a filesystem that flushes its own blocks loses stores made through shared mappings.
    bool loses_mapped_stores;
    std::string_view as; ///< the kernels that behaved so; empty if it loses none
    /// Whether there is a journal that flushes pages by itself. A block device has none, and works
    /// only with FlushPolicy::writeback.
    bool has_journal;
};

/// Every contract, in the order of the enumerators.
inline constexpr std::array kContracts{
    ContractRow{Contract::linux_2_6_19, "linux-2.6.19", true, "Linux 2.6.19 did", true},
    ContractRow{Contract::linux_2_6_20, "linux-2.6.20", false, "", true},
    ContractRow{Contract::linux_6_12_blockdev, "linux-6.12-blockdev", true,
                "block devices without buffer heads do since Linux 6.6", false},
};
constexpr const auto& enum_names(Contract) {
    return kContracts;
}

/// Which dirty blocks a commit writes by itself.
enum class FlushPolicy : std::uint8_t {
    /// Every block of every page found dirty: loses the most stores.
    eager,
    /// As jbd in data=ordered: only blocks on the running transaction's ordered list
    /// (t_sync_datalist; write(2) and ->writepage() add to it). The historical behaviour.
    ext3,
    /// As data=writeback: none. A page that only write(2) has dirtied is written by the
    /// filesystem's own writepage, whole; a mapped page only by the kernel's writeback.
    writeback,
};

inline constexpr std::array kFlushPolicies{
    base::EnumName{FlushPolicy::eager, "eager"},
    base::EnumName{FlushPolicy::ext3, "ext3"},
    base::EnumName{FlushPolicy::writeback, "writeback"},
};
constexpr const auto& enum_names(FlushPolicy) {
    return kFlushPolicies;
}

/// Whether a mount may combine them.
constexpr bool go_together(Contract contract, FlushPolicy policy) {
    return base::row_of(contract).has_journal || policy == FlushPolicy::writeback;
}
/// Whether stores made through shared mappings can be lost. Not under FlushPolicy::writeback, where
/// only the kernel flushes a mapped page. On a block device, not with one block in a page, as none
/// can be passed over.
constexpr bool may_lose_mapped_stores(Contract contract, FlushPolicy policy,
                                      unsigned blocks_per_page) {
    return contract == Contract::linux_6_12_blockdev
               ? blocks_per_page > 1
               : base::row_of(contract).loses_mapped_stores && policy != FlushPolicy::writeback;
}

using base::name_of;
using base::row_of;

} // namespace partialfs::model
