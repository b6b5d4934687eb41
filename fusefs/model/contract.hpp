// What the VM promises before it calls ->writepage(), and which pages a commit flushes.
#pragma once

#include "fusefs/base/enum_names.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace partialfs::model {

/// What the filesystem is promised before its pages are written back, or what it makes of that.
enum class Contract : std::uint8_t {
    /// The PTEs are cleaned and the filesystem is not told: stores since its last own flush of a
    /// block are unknown to it (commit d08b3851da41, as released in 2.6.19).
    linux_2_6_19,
    /// If a PTE was dirty, set_page_dirty() comes first: every block is dirty
    /// (commit 7658cc289288, as released in 2.6.20).
    linux_2_6_20,
    /// A block device without buffer heads (CONFIG_BUFFER_HEAD=n, Linux 6.6 on; as in 6.12): stores
    /// through a mapping set no block's dirty bit. See block_device.hpp.
    linux_6_12_blockdev,
};

/// What people are told of a contract.
struct ContractRow {
    Contract value;
    std::string_view name;
    /// Whether a filesystem that flushes its own blocks loses stores made through shared mappings.
    bool loses_mapped_stores;
    std::string_view as; ///< whoever did so in the world; empty if it loses none
    /// Whether there is a journal that flushes pages by itself. A block device has none, and goes
    /// with the policy writeback alone.
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
    /// Every block of every page found dirty: the worst that such a filesystem can do.
    eager,
    /// As jbd in data=ordered: only blocks on the running transaction's ordered list
    /// (t_sync_datalist; joined by write(2) and by ->writepage()). What history was.
    ext3,
    /// As data=writeback: no page by itself. What write(2) alone has dirtied is written by the
    /// filesystem's own writepage, whole; a mapped page, by the kernel's writeback alone.
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

/// Whether a mount may have both.
constexpr bool go_together(Contract contract, FlushPolicy policy) {
    return base::row_of(contract).has_journal || policy == FlushPolicy::writeback;
}
/// Whether stores made through shared mappings can be lost. Under writeback nobody flushes a mapped
/// page but the kernel; a page of one block has no block that could be passed over.
constexpr bool may_lose_mapped_stores(Contract contract, FlushPolicy policy,
                                      unsigned blocks_per_page) {
    return contract == Contract::linux_6_12_blockdev
               ? blocks_per_page > 1
               : base::row_of(contract).loses_mapped_stores && policy != FlushPolicy::writeback;
}

using base::name_of;
using base::row_of;

} // namespace partialfs::model
