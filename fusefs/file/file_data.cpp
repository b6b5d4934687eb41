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
    its_attributes().note_look(began, *stored);
    return *stored;
}

} // namespace partialfs::file
