#include "tests/mounted/vmmodel/random_schedule.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace vmmodel::testing {
namespace {

using mmapstress::FileIndex;
using mmapstress::MapIndex;
using mmapstress::Op;
using mmapstress::OpId;
using mmapstress::OpKind;
using mmapstress::Start;
using partialfs::model::ByteCount;
using partialfs::model::ByteOffset;

constexpr std::array<std::pair<OpKind, unsigned>, 22> kWeights{{
    {OpKind::store, 40},     {OpKind::write, 12},     {OpKind::commit, 14},
    {OpKind::fsync, 4},      {OpKind::fdatasync, 2},  {OpKind::sync_file_range, 6},
    {OpKind::evict, 2},      {OpKind::msync, 2},      {OpKind::msync_async, 1},
    {OpKind::remap, 2},      {OpKind::unmap, 1},      {OpKind::madvise_dontneed, 2},
    {OpKind::fork_store, 2}, {OpKind::truncate, 2},   {OpKind::punch, 1},
    {OpKind::append, 1},     {OpKind::sync, 1},       {OpKind::direct_read_check, 1},
    {OpKind::read_check, 2}, {OpKind::read_fault, 2}, {OpKind::mprotect, 1},
    {OpKind::live_check, 1},
}};

class Generator {
  public:
    Generator(std::uint64_t seed, std::uint32_t block_size) : random_(seed) {
        schedule_.header.seed = seed;
        schedule_.header.workload = "random";
        schedule_.header.block_size = block_size;
        schedule_.header.end =
            below(2) == 0 ? mmapstress::End::fsync_munmap_fsync : mmapstress::End::munmap_fsync;
    }

    mmapstress::Schedule make() {
        const std::uint64_t files = 1 + below(3);
        for (std::uint64_t i = 0; i < files; ++i) {
            add_file();
        }
        const std::uint64_t operations = 8 + below(52);
        for (std::uint64_t i = 0; i < operations; ++i) {
            add_operation();
        }
        return std::move(schedule_);
    }

  private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    void add_file() {
        constexpr std::array<std::uint64_t, 6> kOff{0, 0, 0, 1, 777, 2500};
        mmapstress::FileSpec file;
        file.size = ByteCount{(1 + below(6)) * mmapstress::kPageSize - kOff[below(kOff.size())]};
        file.start = static_cast<Start>(below(4));
        const FileIndex index{static_cast<std::uint32_t>(schedule_.header.files.size())};
        sizes_.push_back(file.size.value);
        schedule_.header.files.push_back(file);
        const std::uint64_t writes = file.start == Start::partial_fsync ? 1 + below(5) : 0;
        for (std::uint64_t i = 0; i < writes; ++i) {
            Op op = with_range(OpKind::start_write, index);
            op.id = OpId{++last_id_};
            schedule_.header.start_writes.push_back(op);
        }
    }

    /// A range inside the file: often of a whole KiB, otherwise of random size and position.
    Op with_range(OpKind kind, FileIndex file) {
        constexpr std::array<std::uint64_t, 7> kLengths{1, 8, 60, 300, 1000, 3000, 5000};
        const std::uint64_t size = std::max<std::uint64_t>(sizes_[file.value], 1);
        Op op;
        op.kind = kind;
        op.file = file;
        if (below(5) < 2) {
            op.offset = ByteOffset{below((size + 1023) / 1024) * 1024};
            op.length = ByteCount{std::min<std::uint64_t>(1024, size - op.offset.value)};
        } else {
            op.offset = ByteOffset{below(size)};
            op.length =
                ByteCount{std::min(size - op.offset.value, kLengths[below(kLengths.size())])};
        }
        return op;
    }

    OpKind pick() {
        unsigned total = 0;
        for (const auto& [kind, weight] : kWeights) {
            total += weight;
        }
        auto at = static_cast<unsigned>(below(total));
        for (const auto& [kind, weight] : kWeights) {
            if (at < weight) {
                return kind;
            }
            at -= weight;
        }
        return OpKind::store;
    }

    void add(Op op) {
        op.id = OpId{++last_id_};
        schedule_.ops.push_back(std::move(op));
    }

    void add_operation() {
        const OpKind kind = pick();
        const FileIndex file{static_cast<std::uint32_t>(below(sizes_.size()))};
        const auto& traits = traits_of(kind);
        Op op = with_range(kind, file);
        if (!traits.has_file) {
            op.file = FileIndex{0};
        }
        if (!traits.has_offset || traits.range_optional) {
            op.offset = ByteOffset{0}; // the whole file
        }
        if (!traits.has_length || traits.range_optional) {
            op.length = ByteCount{0};
        }
        if (traits.has_map && below(5) == 0) {
            op.map = MapIndex{1};
        }
        std::uint64_t& size = sizes_[file.value];
        switch (kind) {
        case OpKind::fsync:
        case OpKind::fdatasync:
        case OpKind::msync: {
            Op before;
            before.kind = OpKind::fchmod;
            before.file = file;
            add(before);
            break;
        }
        case OpKind::write:
            size = std::max(size, op.offset.value + op.length.value);
            break;
        case OpKind::append:
            op.length = ByteCount{1 + below(3000)};
            size += op.length.value;
            break;
        case OpKind::truncate: {
            const std::array<std::uint64_t, 4> to{size - std::min(size - 1, 1 + below(5000)),
                                                  size + 1 + below(5000), size,
                                                  std::max<std::uint64_t>(1, size / 1024 * 1024)};
            size = to[below(to.size())];
            op.length = ByteCount{size};
            break;
        }
        default:
            break;
        }
        add(std::move(op));
    }

    std::mt19937_64 random_;
    mmapstress::Schedule schedule_;
    std::vector<std::uint64_t> sizes_;
    std::uint64_t last_id_ = 0;
};

} // namespace

mmapstress::Schedule random_schedule(std::uint64_t seed, std::uint32_t block_size) {
    // Start-writes come before all operations, and files before start-writes: ids ascend.
    return Generator(seed, block_size).make();
}

} // namespace vmmodel::testing
