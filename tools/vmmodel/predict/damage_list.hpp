// The damage of a predictor's files; each range has the BlockStory of its first block.
#pragma once

#include "tools/vmmodel/predict/predictor.hpp"

#include <vector>

namespace vmmodel {

/// `File` has `contents`, and `pages` whose entries have a `story`.
template <typename File>
std::vector<Damage> damage_list(const std::vector<File>& files,
                                partialfs::model::BlockSize block_size) {
    std::vector<Damage> all;
    for (std::uint32_t number = 0; number < files.size(); ++number) {
        const File& file = files[number];
        for (const partialfs::model::ByteRange& range : file.contents.damage()) {
            Damage damage{FileNumber{number}, range, OpNumber{0}, OpNumber{0}};
            const auto page = file.pages.find(range.first_page());
            if (page != file.pages.end()) {
                const std::uint64_t block =
                    block_size.block_of(range.begin).value % block_size.per_page();
                damage.lost_by = page->second.story.lost_by[block];
                damage.cleaned_by = page->second.story.cleaned_by[block];
            }
            all.push_back(damage);
        }
    }
    return all;
}

} // namespace vmmodel
