#include "fusefs/base/try.hpp"
#include "tools/vmmodel/commands/commands.hpp"
#include "tools/vmmodel/predict/schedule_file.hpp"
#include "tools/vmmodel/show/terminal.hpp"

#include <algorithm>

namespace vmmodel {

namespace {

using partialfs::model::BlockSize;

/// The films to choose from: one for each page that can be looked at.
struct Reel {
    std::vector<Film> films;
};

std::expected<Reel, std::string> reel_of_schedule(const PlaySettings& settings) {
    auto loaded = TRY(load_schedules(settings.path));
    const auto wanted = std::ranges::find_if(loaded, [&](const LoadedSchedule& one) {
        return settings.id.empty() || one.name == settings.id;
    });
    if (wanted == loaded.end()) {
        return std::unexpected(settings.path + ": no schedule '" + settings.id + "'");
    }
    const auto bytes =
        settings.block_size ? settings.block_size : wanted->schedule.header.block_size;
    const auto block_size = BlockSize::from_bytes(bytes.value_or(1024));
    if (!block_size) {
        return std::unexpected("the block size must be 512, 1024, 2048 or 4096");
    }
    const auto spots = spots_of(*wanted, settings.era, settings.filesystem, *block_size);
    if (!spots) {
        return std::unexpected(wanted->name + ": " + spots.error());
    }
    Reel reel;
    constexpr std::size_t kMostFilms = 64;
    for (std::size_t i = 0; i < std::min(spots->size(), kMostFilms); ++i) {
        auto film =
            TRY(film_of(*wanted, (*spots)[i], settings.era, settings.filesystem, *block_size));
        reel.films.push_back(std::move(film));
    }
    return reel;
}

std::expected<Reel, std::string> reel_of_search(const PlaySettings& settings) {
    const Search found =
        search(settings.era, settings.filesystem, default_bounds(), Races::automatic, {});
    Reel reel;
    for (const Found& one : found.found) {
        reel.films.push_back(film_of(one, found));
    }
    if (reel.films.empty()) {
        return std::unexpected(std::string{rules_of(settings.era).name} + ", " +
                               std::string{rules_of(settings.filesystem).name} +
                               ": no store can be lost, so there is nothing to play; give a "
                               "schedule");
    }
    return reel;
}

void play_on(Terminal& terminal, const Reel& reel) {
    const bool colour = !output_colours().end.empty();
    std::size_t film = 0;
    std::size_t frame = 0;
    for (;;) {
        const Film& now = reel.films[film];
        if (!Terminal::show(draw(now, frame, Terminal::size(), colour))) {
            return;
        }
        const std::size_t last = now.frames.size() - 1;
        switch (terminal.key()) {
        case Key::next:
            frame = std::min(frame + 1, last);
            break;
        case Key::back:
            frame -= frame > 0 ? 1U : 0U;
            break;
        case Key::first:
            frame = 0;
            break;
        case Key::last:
            frame = last;
            break;
        case Key::harm: {
            const auto next =
                std::ranges::find_if(now.frames.begin() + static_cast<std::ptrdiff_t>(frame) + 1,
                                     now.frames.end(), &Frame::harm);
            frame = next == now.frames.end() ? frame
                                             : static_cast<std::size_t>(next - now.frames.begin());
            break;
        }
        case Key::page:
            film = (film + 1) % reel.films.size();
            frame = std::min(frame, reel.films[film].frames.size() - 1);
            break;
        case Key::quit:
            return;
        case Key::redraw:
        case Key::other:
            break;
        }
    }
}

} // namespace

int play_command(const PlaySettings& settings) {
    const auto reel = settings.path.empty() ? reel_of_search(settings) : reel_of_schedule(settings);
    if (!reel) {
        return fail(kUsage, reel.error());
    }
    if (auto terminal = Terminal::open()) {
        play_on(*terminal, *reel);
        return kClean;
    }
    return print(film_text(reel->films.front()), kClean);
}

} // namespace vmmodel
