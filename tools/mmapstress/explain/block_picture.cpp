#include "tools/mmapstress/explain/block_picture.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace mmapstress {
namespace {

using partialfs::model::BlockInPage;
using partialfs::model::BlockMask;
using partialfs::model::BlockSize;
using partialfs::model::Nanoseconds;

/// "1010", the page's first block first.
BlockMask mask_of(std::string_view text) {
    BlockMask mask;
    for (std::size_t block = 0; block < text.size(); ++block) {
        if (text[block] == '1') {
            mask |= BlockMask::of(BlockInPage{static_cast<std::uint8_t>(block)});
        }
    }
    return mask;
}

/// The block size, from the length of the trace's masks.
std::optional<BlockSize> block_size_of(const std::vector<TraceEvent>& events) {
    for (const TraceEvent& event : events) {
        for (const std::string* mask : {&event.blocks, &event.written, &event.skipped}) {
            if (!mask->empty()) {
                return BlockSize::from_bytes(kPageSize / mask->size());
            }
        }
    }
    return std::nullopt;
}

/// Follows one page through its events and stores.
class Painter {
  public:
    Painter(PageIndex page, BlockSize block_size)
        : page_(page), block_size_(block_size), state_(block_size.per_page(), BlockMark::clean) {}

    void show(const TraceEvent& event) {
        settle();
        if (event.event == "explicit-write") {
            mark(block_size_.touched(page_, event.bytes), BlockMark::dirty);
            add(event.time, "write(2)");
        } else if (event.event == "page-dirty") {
            mark(block_size_.all(), BlockMark::dirty);
            add(event.time, "found dirty: a mapping has stored into it");
        } else if (event.event == "ordered-flush") {
            mark(mask_of(event.blocks), BlockMark::written);
            add(event.time,
                "commit " + std::to_string(event.commit) + " flushes, calls them clean");
        } else if (event.event == "writepage") {
            writepage(event);
        }
    }

    void show(const TimedStore& store) {
        settle();
        const BlockMask touched = block_size_.touched(page_, store.range);
        for_each(touched, [](BlockMark& mark) {
            mark = mark == BlockMark::dirty ? mark : BlockMark::unseen;
        });
        add(store.time, "store, operation " + std::to_string(store.op.value));
    }

    std::vector<PictureRow> take() { return std::move(rows_); }

  private:
    void writepage(const TraceEvent& event) {
        const BlockMask skipped = mask_of(event.skipped);
        for_each(skipped, [](BlockMark& mark) {
            mark = mark == BlockMark::unseen ? BlockMark::skipped : mark;
        });
        mark(mask_of(event.written), BlockMark::written);
        add(event.time, mask_of(event.written).empty() ? "writepage writes nothing" : "writepage");
        for_each(skipped, [](BlockMark& mark) { mark = BlockMark::clean; });
    }

    /// Blocks that a step has written are clean in the next.
    void settle() { std::ranges::replace(state_, BlockMark::written, BlockMark::clean); }
    void mark(BlockMask blocks, BlockMark mark) {
        for_each(blocks, [mark](BlockMark& present) { present = mark; });
    }
    template <typename Change>
    void for_each(BlockMask blocks, Change change) {
        for (std::uint8_t block = 0; block < block_size_.per_page(); ++block) {
            if (blocks.contains(BlockInPage{block})) {
                change(state_[block]);
            }
        }
    }
    void add(Nanoseconds time, std::string what) {
        rows_.push_back({time, std::move(what), state_});
    }

    PageIndex page_;
    BlockSize block_size_;
    std::vector<BlockMark> state_;
    std::vector<PictureRow> rows_;
};

char letter(BlockMark mark) {
    constexpr std::array<char, 5> kLetters{'.', 'd', 'W', '!', 'X'};
    return kLetters.at(static_cast<std::size_t>(mark));
}

} // namespace

std::vector<PictureRow> block_picture(PageIndex page, const std::vector<TraceEvent>& events,
                                      const std::vector<TimedStore>& stores) {
    const auto block_size = block_size_of(events);
    if (!block_size) {
        return {};
    }
    Painter painter(page, *block_size);
    auto store = stores.begin();
    for (const TraceEvent& event : events) {
        if (!event.touches(page)) {
            continue;
        }
        for (; store != stores.end() && store->time < event.time; ++store) {
            painter.show(*store);
        }
        painter.show(event);
    }
    for (; store != stores.end(); ++store) {
        painter.show(*store);
    }
    return painter.take();
}

std::string letters_of(const std::vector<BlockMark>& blocks) {
    std::string letters;
    std::ranges::transform(blocks, std::back_inserter(letters), letter);
    return letters;
}

std::string draw(const std::vector<PictureRow>& rows, Nanoseconds begin, std::size_t most) {
    if (rows.empty()) {
        return {};
    }
    std::string text;
    const std::size_t first = rows.size() > most ? rows.size() - most : 0;
    if (first > 0) {
        text += "    ... (" + std::to_string(first) + " earlier)\n";
    }
    for (std::size_t i = first; i < rows.size(); ++i) {
        const PictureRow& row = rows[i];
        std::array<char, 32> time{};
        std::snprintf(time.data(), time.size(), "    %11.6f s  ",
                      (static_cast<double>(row.time.value) - static_cast<double>(begin.value)) /
                          1e9);
        text += time.data();
        for (const char letter : letters_of(row.blocks)) {
            text += std::string("[") + letter + ']';
        }
        text += "  " + row.what + '\n';
    }
    text += "    d known dirty, . clean, W written to disk, ! stored unseen, X passed over: lost\n";
    return text;
}

} // namespace mmapstress
