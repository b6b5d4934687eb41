#include "tools/vmmodel/show/screen.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vmmodel {

namespace {

constexpr int kCell = 11; ///< columns of a block, without its borders

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kRed = "\x1b[1;31m";
constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kOff = "\x1b[0m";

/// Builds lines that are cut off at the screen's edge.
class Painter {
  public:
    Painter(ScreenSize size, bool colour) : size_(size), colour_(colour) {}

    void line() { lines_.emplace_back(); }
    void line(const std::string& text, const char* style = "") {
        lines_.push_back(styled(cut(text), style));
    }
    /// Pieces side by side, each with its style.
    void pieces(const std::vector<std::pair<std::string, const char*>>& all) {
        std::string line;
        std::size_t used = 0;
        for (const auto& [text, style] : all) {
            const std::size_t room = columns() - std::min(columns(), used);
            const std::string part = cut(text, room);
            used += columns_of(part);
            line += styled(part, style);
        }
        lines_.push_back(std::move(line));
    }
    [[nodiscard]] int left() const { return size_.rows - static_cast<int>(lines_.size()); }
    std::vector<std::string> take() {
        if (static_cast<int>(lines_.size()) > size_.rows) {
            lines_.resize(static_cast<std::size_t>(std::max(size_.rows, 0)));
        }
        return std::move(lines_);
    }

  private:
    [[nodiscard]] std::size_t columns() const {
        return static_cast<std::size_t>(std::max(size_.columns, 0));
    }
    [[nodiscard]] std::string styled(const std::string& text, const char* style) const {
        return colour_ && *style != '\0' && !text.empty() ? style + text + kOff : text;
    }
    [[nodiscard]] std::string cut(const std::string& text) const { return cut(text, columns()); }
    static std::string cut(const std::string& text, std::size_t room) {
        std::size_t used = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
            if (begins && used++ == room) {
                return text.substr(0, i);
            }
        }
        return text;
    }

    ScreenSize size_;
    bool colour_;
    std::vector<std::string> lines_;
};

std::string repeated(std::string_view what, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) {
        text += what;
    }
    return text;
}

std::string border(std::string_view left, std::string_view middle, std::string_view right,
                   std::size_t blocks) {
    std::string text{left};
    for (std::size_t i = 0; i < blocks; ++i) {
        text += repeated("─", kCell);
        text += i + 1 == blocks ? right : middle;
    }
    return text;
}

void block_row(Painter& painter, const char* name, const PageFrame& page,
               std::string BlockFrame::* text, bool marks_stale) {
    std::vector<std::pair<std::string, const char*>> pieces{{fmt::format("  {:<9}│", name), ""}};
    for (const BlockFrame& block : page.blocks) {
        const char* style = marks_stale && block.stale ? kRed : "";
        if (!marks_stale && block.*text == "clean") {
            style = kDim;
        } else if (!marks_stale) {
            style = kGreen;
        }
        pieces.emplace_back(fmt::format("{:^{}}", block.*text, kCell), style);
        pieces.emplace_back("│", "");
    }
    painter.pieces(pieces);
}

void draw_page(Painter& painter, const PageFrame& page) {
    const std::size_t blocks = page.blocks.size();
    painter.pieces({{fmt::format("  {:<9}", page.name), kBold},
                    {page.ptes, ""},
                    {page.flags.empty() ? "" : "   " + page.flags, kGreen}});
    painter.line("           " + border("┌", "┬", "┐", blocks));
    block_row(painter, "memory", page, &BlockFrame::memory, true);
    block_row(painter, "block", page, &BlockFrame::state, false);
    block_row(painter, "disk", page, &BlockFrame::disk, true);
    painter.line("           " + border("└", "┴", "┘", blocks));
}

/// The steps around the current one, as many as there is room for.
void draw_steps(Painter& painter, const Film& film, std::size_t frame) {
    const int room = painter.left() - 2;
    if (room <= 0) {
        return;
    }
    const auto count = static_cast<std::ptrdiff_t>(film.frames.size());
    const std::ptrdiff_t lines = std::min<std::ptrdiff_t>(room, count);
    const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(
        static_cast<std::ptrdiff_t>(frame) - lines / 2, 0, count - lines);
    for (std::ptrdiff_t i = first; i < first + lines; ++i) {
        const auto index = static_cast<std::size_t>(i);
        const Frame& one = film.frames[index];
        const char* style = index == frame ? kBold : kDim;
        painter.line(
            fmt::format("{} {:>3}  {:<10} {}", index == frame ? ">" : " ", i, one.who, one.what),
            one.harm && index <= frame ? kRed : style);
    }
}

} // namespace

std::size_t columns_of(const std::string& line) {
    std::size_t columns = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\x1b') {
            while (i < line.size() && line[i] != 'm') {
                ++i;
            }
            continue;
        }
        columns += (static_cast<unsigned char>(line[i]) & 0xC0U) != 0x80U ? 1U : 0U;
    }
    return columns;
}

std::vector<std::string> draw(const Film& film, std::size_t frame, ScreenSize size, bool colour) {
    Painter painter(size, colour);
    const Frame& now = film.frames.at(frame);
    painter.line(fmt::format("{}   step {} of {}", film.title, frame, film.frames.size() - 1),
                 kBold);
    painter.line(film.subtitle, kDim);
    painter.line();
    painter.pieces({{fmt::format("  {:<9}", now.who), kBold}, {now.what, now.harm ? kRed : kBold}});
    painter.line("           " + now.meaning, now.harm ? kRed : "");
    for (const PageFrame& page : now.pages) {
        draw_page(painter, page);
    }
    painter.line();
    draw_steps(painter, film, frame);
    while (painter.left() > 1) {
        painter.line();
    }
    painter.line(
        "space next   b back   0 first   $ last   l the harm   tab another page or run   q quit",
        kDim);
    return painter.take();
}

} // namespace vmmodel
