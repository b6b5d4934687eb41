// The workloads made to find lost stores, and the header that they share.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// The header for these settings, with all files sparse. Fails if there are no files, files of size
/// 0, or too many workers.
std::expected<Header, std::string> header_for(const WorkloadSettings& settings,
                                              std::string_view workload, ByteCount default_size,
                                              std::uint32_t default_files,
                                              std::uint16_t default_threads = 1);

/// All operations, weighted, on files of many sizes, by 1 to 4 workers. 500 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string> make_wild(const WorkloadSettings& settings);
/// The kernel stores into the mapping of a file while another thread changes its size. 8 MiB, three
/// threads, 2,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string> make_gup(const WorkloadSettings& settings);
/// Files grow in small steps while their last pages are stored into. Four small files, two threads,
/// 2,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string> make_grow(const WorkloadSettings& settings);
/// Stores into pages while another thread writes them back. Two files of 256 KiB, three threads,
/// 4,000 operations by default.
std::expected<std::unique_ptr<OpSource>, std::string>
make_writeback(const WorkloadSettings& settings);

/// For 16 pages at a time: write, store, commit, store, fsync. Without `ops`: all files once.
std::expected<std::unique_ptr<OpSource>, std::string> make_recipe(const WorkloadSettings& settings);

/// Random stores into parts of pages of small hot files, with fsyncs of these files and commits in
/// between. Four files of 32 KiB, 2,000 operations by default. Of a larger file, a part is hot at a
/// time.
std::expected<std::unique_ptr<OpSource>, std::string> make_mix(const WorkloadSettings& settings);

/// Stores chunks of 1460 bytes in random order through one mapping. By default, all of one file of
/// 8 MiB, once.
std::expected<std::unique_ptr<OpSource>, std::string> make_linus(const WorkloadSettings& settings);
/// One sentence for each damaged chunk: which bytes are damaged, and when the chunk and its
/// neighbours were stored. `source` gives the run's operations, `last_op` is the last that was
/// carried out.
std::vector<std::string> linus_story(OpSource& source, OpId last_op,
                                     const std::vector<DamagedRange>& damage);

/// More dirty data than memory: files of four times settings.memory together. By default two files,
/// and two stores for each page.
std::expected<std::unique_ptr<OpSource>, std::string>
make_pressure(const WorkloadSettings& settings);

} // namespace mmapstress
