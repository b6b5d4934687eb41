// What the VM promises before it calls ->writepage(), and which pages a commit flushes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace partialfs::model {

/// What clear_page_dirty_for_io() promises the filesystem.
enum class Contract : std::uint8_t {
    /// The PTEs are cleaned and the filesystem is not told: stores since its last own flush of a
    /// block are unknown to it (commit d08b3851da41, as released in 2.6.19).
    linux_2_6_19,
    /// If a PTE was dirty, set_page_dirty() comes first: every block is dirty
    /// (commit 7658cc289288, as released in 2.6.20).
    linux_2_6_20,
};

/// Which dirty blocks a commit writes by itself.
enum class FlushPolicy : std::uint8_t {
    /// Every block of every page found dirty.
    eager,
    /// As jbd in data=ordered: only blocks on the running transaction's ordered list
    /// (t_sync_datalist; joined by write(2) and by ->writepage()).
    ext3,
};

/// "linux-2.6.19" or "linux-2.6.20"; nothing for any other text.
std::optional<Contract> contract_from(std::string_view name);
std::string_view name_of(Contract contract);

/// "eager" or "ext3"; nothing for any other text.
std::optional<FlushPolicy> flush_policy_from(std::string_view name);
std::string_view name_of(FlushPolicy policy);

} // namespace partialfs::model
