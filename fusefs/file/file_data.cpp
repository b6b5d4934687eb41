#include "fusefs/file/file_data.hpp"

#include <chrono>

namespace partialfs::file {

std::optional<PageSet> FileData::look(PageCache& cache) {
    const auto began = std::chrono::steady_clock::now();
    PageSet all;
    if (const model::ByteOffset end = size(); end > model::ByteOffset{0}) {
        all.append({model::PageIndex{0}, page_of(model::ByteOffset{end.value - 1})});
    }
    const base::Result<PageSet> stored = cache.dirty_pages(*this, all);
    if (!stored) {
        return std::nullopt;
    }
    // The way into the mount had to be opened. If it is open from now on, the next look is short.
    const bool open = cache.dirty_now(id(), model::ByteOffset{0}).has_value();
    its_attributes().note_look(open ? std::chrono::nanoseconds{0}
                                    : std::chrono::steady_clock::now() - began,
                               stored->count());
    return *stored;
}

FileData::HeldBack FileData::held_back() const {
    const FileLock lock(its_parts);
    HeldBack back;
    const auto status = its_parts.backing.status();
    its_parts.held.buffered().for_each({model::ByteOffset{0}, its_parts.state.size()},
                                       [&](model::ByteOffset at, std::span<const std::byte> bytes) {
                                           const model::ByteOffset end =
                                               at + model::ByteCount{bytes.size()};
                                           if (!back.bytes.empty() && back.bytes.back().end == at) {
                                               back.bytes.back().end = end;
                                           } else {
                                               back.bytes.push_back({at, end});
                                           }
                                       });
    const model::ByteOffset on_disk = model::offset_of(status ? status->st_size : 0);
    if (status && on_disk != its_parts.state.size()) {
        back.size = model::LostSize{.was = its_parts.state.size(), .is = on_disk};
    }
    return back;
}

} // namespace partialfs::file
