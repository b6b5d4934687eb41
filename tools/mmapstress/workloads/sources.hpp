// The workloads that are made for finding lost stores, and what they share.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// The header that these settings ask for, all files sparse. The error: no files, files of no size,
/// or too many workers.
std::expected<Header, std::string> header_for(const WorkloadSettings& settings,
                                              std::string_view workload, ByteCount default_size,
                                              std::uint32_t default_files,
                                              std::uint16_t default_threads = 1);

/// All operations, weighted, on files of many sizes, by 1 to 4 workers. 2,000 operations by
/// default.
std::expected<std::unique_ptr<OpSource>, std::string> make_wild(const WorkloadSettings& settings);
/// The kernel stores into the mapping of a file while another thread changes its size. 8 MiB, three
/// threads, 2,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string> make_gup(const WorkloadSettings& settings);
/// Files grow in small steps while their last pages are stored into. Four small files, two threads,
/// 2,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string> make_grow(const WorkloadSettings& settings);
/// Stores into pages that another thread has written back at the time. Two files of 256 KiB, three
/// threads, 4,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string>
make_writeback(const WorkloadSettings& settings);

/// For 16 pages at a time: write, store, commit, store, fsync. Without `ops`: all files once.
std::expected<std::unique_ptr<OpSource>, std::string> make_recipe(const WorkloadSettings& settings);

/// Small hot files (32 KiB each by default; of larger files 16 pages at a time), random sub-page
/// stores, independent fsyncs, commits in between. 2,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string> make_mix(const WorkloadSettings& settings);

/// Chunks of 1460 bytes in random order through one mapping; a file of 8 MiB by default, once.
std::expected<std::unique_ptr<OpSource>, std::string> make_linus(const WorkloadSettings& settings);
/// One sentence for each damaged chunk: which bytes of it, and when it and its neighbours were
/// stored. `source` gives the run's operations, `last_op` is the last
/// that was carried out.
std::vector<std::string> linus_story(OpSource& source, OpId last_op,
                                     const std::vector<DamagedRange>& damage);

/// Four times as much dirty data as there is memory (settings.memory), in two files, stored all
/// over twice by default.
std::expected<std::unique_ptr<OpSource>, std::string>
make_pressure(const WorkloadSettings& settings);

} // namespace mmapstress
